import Whimbrel

let client = try WhimbrelClient()
let conversation = try await client.openModel(at: CommandLine.arguments[1]).conversation()
for try await piece in conversation.ask("What is the capital of France?").text() {
    print(piece, terminator: "")
}
