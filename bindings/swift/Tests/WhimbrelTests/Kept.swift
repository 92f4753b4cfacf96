import Foundation
import Whimbrel

// What the tests of kept conversations share.

/// A chat service on loopback, which gives every request the same answer.
final class ChatServer: Sendable {
    private let listener: Int32
    private let answer: String
    private let received = Received()

    /// The address of an endpoint.
    let url: String

    /// The bodies of the requests.
    var requests: [String] { received.all }

    init(_ answer: String) throws {
        self.answer = answer
        let listener = socket(AF_INET, streamType, 0)
        self.listener = listener
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(listener, address, size) == 0 && listen(listener, 8) == 0
                    && getsockname(listener, address, &size) == 0
            }
        }
        guard isBound else { throw POSIXError(.EADDRINUSE) }
        url = "http://127.0.0.1:\(UInt16(bigEndian: address.sin_port))/v1"
        Thread.detachNewThread { [self] in
            while case let connection = accept(listener, nil, nil), connection >= 0 { serve(connection) }
        }
    }

    func close() {
        shutdown(listener, Int32(SHUT_RDWR))
    }

    private func serve(_ connection: Int32) {
        defer { _ = Foundation.close(connection) }
        guard let body = body(of: connection) else { return }
        received.add(body)
        var reply = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
        reply += event("{\"index\":0,\"delta\":{\"content\":\"\(answer)\"}}")
        reply += event("{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}") + "data: [DONE]\n\n"
        let bytes = Array(reply.utf8)
        _ = send(connection, bytes, bytes.count, noSignal)
    }

    private func event(_ choice: String) -> String { "data: {\"choices\":[\(choice)]}\n\n" }

    private func body(of connection: Int32) -> String? {
        var read: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 65536)
        while true {
            let text = String(decoding: read, as: UTF8.self)
            if let end = text.range(of: "\r\n\r\n"), let length = length(String(text[..<end.lowerBound])) {
                let body = text[end.upperBound...]
                if body.utf8.count >= length { return String(body) }
            }
            let count = recv(connection, &piece, piece.count, 0)
            guard count > 0 else { return nil }
            read += piece[..<count]
        }
    }

    private func length(_ head: String) -> Int? {
        for line in head.lowercased().components(separatedBy: "\r\n") where line.hasPrefix("content-length:") {
            return Int(line.dropFirst("content-length:".count).trimmingCharacters(in: .whitespaces))
        }
        return nil
    }

    private final class Received: @unchecked Sendable {
        private let lock = NSLock()
        private var bodies: [String] = []
        var all: [String] { lock.withLock { bodies } }
        func add(_ body: String) { lock.withLock { bodies.append(body) } }
    }
}

#if canImport(Glibc)
    private let streamType = Int32(SOCK_STREAM.rawValue)
    private let noSignal = Int32(MSG_NOSIGNAL)
#else
    private let streamType = SOCK_STREAM
    private let noSignal: Int32 = 0
#endif

/// A vault that can be locked, and that can lose what it has.
final class TestVault: KeyVault, @unchecked Sendable {
    private let lock = NSLock()
    private var secrets: [String: Data] = [:]
    private var failing: KeyVaultError?

    /// What reading and writing fails with.
    var failure: KeyVaultError? {
        get { lock.withLock { failing } }
        set { lock.withLock { failing = newValue } }
    }

    var names: [String] { lock.withLock { secrets.keys.sorted() } }

    func secret(_ name: String) -> Data? { lock.withLock { secrets[name] } }

    func replace(_ name: String, by secret: Data?) { lock.withLock { secrets[name] = secret } }

    func get(name: String) throws -> Data? {
        if let failure { throw failure }
        return secret(name)
    }

    func put(name: String, secret: Data) throws {
        if let failure { throw failure }
        replace(name, by: secret)
    }

    func delete(name: String) { replace(name, by: nil) }

    func level() -> VaultLevel { .memory }
}

/// A phone with its data: the app can be started on it again and again.
struct Phone {
    let folder: URL
    let vault = TestVault()
    var url = "http://127.0.0.1:9/v1"
    var otherwise = "\"remote:house\", \"queue\""

    var store: String { folder.appendingPathComponent("store").path }

    func start(_ network: Network) async throws -> Assistant {
        let endpoint = """
            [[endpoints]]
            id = "house"
            base_url = "\(url)"
            model = "m"
            trust = "organisation"
            cost_per_1k_tokens = 0
            class_max = "personal"
            class_max_redacted = "secret"
            """
        let options = AssistantOptions(store: store, vault: vault, appPolicy: policy(otherwise, endpoint))
        let assistant = try await Assistant(options)
        try assistant.updateDevice(DeviceUpdate(network: network))
        return assistant
    }

    /// Keeps a conversation with a queued question, and ends the app.
    func keepOne() async throws {
        let assistant = try await start(.offline)
        _ = try await assistant.conversations.create("Birds").ask("Where do waders winter?").all()
        await assistant.shutdown()
    }

    /// Whether a text is in a file of the app.
    func has(_ text: String) throws -> Bool {
        let names = try FileManager.default.subpathsOfDirectory(atPath: folder.path)
        return names.contains { name in
            let content = FileManager.default.contents(atPath: folder.appendingPathComponent(name).path)
            return content?.range(of: Data(text.utf8)) != nil
        }
    }
}

func onPhone(
    _ answer: String = "In Africa.",
    _ otherwise: String = "\"remote:house\", \"queue\"",
    _ body: (Phone, ChatServer) async throws -> Void
) async throws {
    let server = try ChatServer(answer)
    defer { server.close() }
    try await withFolder { folder in
        try await body(Phone(folder: folder, url: server.url, otherwise: otherwise), server)
    }
}
