import Foundation
import Whimbrel

let store = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
let policy = PolicyDocument.toml(text: "version = 1\nname = \"app\"\notherwise = [\"on_device\", \"queue\"]")
let assistant = try await Assistant(AssistantOptions(store: store, vault: MemoryKeyVault(), appPolicy: policy))

// There is no model yet, so the question waits on the disk.
let conversation = try await assistant.conversations.create()
for try await event in conversation.ask("What is the capital of France?") {
    if case .finished(let report) = event { print("queued with number \(report.queued ?? 0)") }
}

// Later, also in another process: whatever can be sent now is sent.
let client = try WhimbrelClient()
assistant.setModel(try await client.openModel(at: CommandLine.arguments[1]))
print("answered: \(try await assistant.outbox.runDue().answered)")
for hit in try await assistant.conversations.search("paris") { print(hit.text) }
for listed in try await assistant.conversations.list() { print("\(listed.title) (\(listed.messages) messages)") }
await assistant.shutdown()
