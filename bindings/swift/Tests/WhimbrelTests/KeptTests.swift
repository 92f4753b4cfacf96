import Foundation
import Testing
import Whimbrel

/// Conversations that are kept, and questions that wait in the outbox: over restarts, lost networks and lost keys.
@Suite struct KeptTests {
    private let question = "Where do waders winter?"
    private let network = QueueNeeds(network: true, unmetered: false, charging: false)

    @Test func aQuestionThatWasQueuedOfflineIsAnsweredOnceAfterARestart() async throws {
        try await onPhone { phone, server in
            let first = try await phone.start(.offline)
            let asked = try await first.conversations.create()
            let id = try #require(asked.id)
            let report = try #require(try await asked.ask(question).all().report)
            #expect(report.outcome == .deferred && report.queued == 1 && report.isKept == true)
            #expect(asked.messages().isEmpty)
            await first.shutdown()
            #expect(server.requests.isEmpty)
            #expect(try !phone.has("waders"))

            let assistant = try await phone.start(.offline)
            let idle = try await assistant.outbox.runDue()
            #expect(idle.answered == 0 && idle.left == 1 && idle.nextNeeds == network)
            let queued = try #require(try await assistant.outbox.list().first)
            #expect(queued.id == 1 && queued.conversation == id && queued.text == question && queued.state == .waiting)
            try assistant.updateDevice(DeviceUpdate(network: .unmetered))
            let run = try await assistant.outbox.runDue(RunBudget(attempts: 5, within: .seconds(60)))
            #expect(run.answered == 1 && run.left == 0 && run.nextMs == nil)
            #expect(try await assistant.outbox.runDue().answered == 0)

            let conversation = try await assistant.conversations.open(id)
            #expect(conversation.said == ["user: \(question)", "assistant: In Africa."])
            #expect(server.requests.count == 1)
            let receipt = try #require(conversation.messages().last?.receipt)
            #expect(try await assistant.receipt(receipt).outcome == .answered)
            #expect(try await assistant.conversations.list().map(\.title) == [question])
            await assistant.shutdown()
        }
    }

    @Test func anAnswerThatWasStoppedIsMarked() async throws {
        try await onPhone("", "\"on_device\"") { phone, _ in
            try await withClient { client in
                let assistant = try await phone.start(.offline)
                assistant.setModel(try await client.openModel(at: Models.tiny))
                let conversation = try await assistant.conversations.create("", options: testContext)
                let id = try #require(conversation.id)
                for try await event in conversation.ask("Hello", options: longAnswer) where event.isText {
                    conversation.stop()
                }
                let said = conversation.messages()
                #expect(said.map(\.isInterrupted) == [false, true])
                await assistant.shutdown()
                let again = try await phone.start(.offline)
                #expect(try await again.conversations.open(id).messages() == said)
                let kept = try await again.conversations.show(id)
                #expect(kept.messages.map(\.state) == [.complete, .interrupted])
                await again.shutdown()
            }
        }
    }

    @Test func theSameQuestionGetsTheAnswerThatIsRememberedUntilTheCachesAreCleared() async throws {
        try await onPhone { phone, server in
            let assistant = try await phone.start(.unmetered)
            func ask(_ options: AskOptions = AskOptions()) async throws -> Report {
                try #require(try await assistant.conversation().ask(question, options: options).all().report)
            }
            let first = try await ask()
            let again = try await ask()
            #expect(first.answeredBefore == nil && again.answeredBefore?.receipt == first.receipt)
            #expect(again.attempts.isEmpty && again.bytesOut == 0 && server.requests.count == 1)
            let receipt = try #require(again.receipt)
            #expect(try await assistant.receipt(receipt).answeredBefore == first.receipt)
            #expect(try await assistant.stats().answersGivenAgain == 1)
            #expect(try await ask(AskOptions(fresh: true)).answeredBefore == nil)

            let used = try await assistant.caches.usage()
            #expect(used.answers == 1 && used.answerBytes > 0)
            try await assistant.caches.trim(.critical)
            try await assistant.caches.setBudget(CacheBudget(diskBytes: 0))
            #expect(try await assistant.caches.usage().answers == 0)
            #expect(try await ask().answeredBefore == nil)
            try await assistant.caches.clear()
            #expect(try await assistant.caches.usage().answers == 0)
            await assistant.shutdown()
            await #expect(throws: (any Error).self) { try await assistant.caches.usage() }
        }
    }

    @Test func conversationsAreListedFoundRenamedPinnedAndDeleted() async throws {
        try await onPhone { phone, _ in
            let assistant = try await phone.start(.unmetered)
            let conversations = assistant.conversations
            var ids: [String] = []
            for title in ["Birds", "Trees", "Stars"] {
                ids.append(try #require(try await conversations.create(title).id))
            }
            let birds = try await conversations.open(ids[0])
            #expect(try await birds.ask("Größe: where do WADERS winter?").all().report?.isKept == true)
            try await conversations.rename(ids[1], to: "Oaks")
            try await conversations.pin(ids[1])
            #expect(try await conversations.list().map(\.title) == ["Oaks", "Birds", "Stars"])
            let first = try #require(try await conversations.list(max: 1).first)
            #expect(first.isPinned && first.messages == 0)
            #expect(try await conversations.list(after: first, max: 2).map(\.title) == ["Birds", "Stars"])
            #expect(try await conversations.findTitle("Oaks") == ids[1])
            #expect(try await conversations.findTitle("Trees") == nil)

            let hit = try #require(try await conversations.search("waders").first)
            #expect(hit.conversation == ids[0] && hit.message == 0)
            let scalars = Array(hit.text.unicodeScalars)[hit.start..<hit.end]
            #expect(String(String.UnicodeScalarView(scalars)) == "WADERS")
            #expect(try await conversations.search("oaks").map(\.message) == [nil])

            try await conversations.delete(ids[0])
            await expectError("closed") { _ = try await birds.ask("And then?").all() }
            do { _ = try await conversations.show(ids[0]) } catch WhimbrelError.notFound(let what, let id) {
                #expect(what == "conversation" && id == ids[0])
            }
            await expectError("invalid_option") { _ = try await conversations.show("Birds") }
            try await conversations.pin(ids[1], isPinned: false)
            #expect(try await conversations.retain(Retention(conversationsMax: 1)).count == 1)
            #expect(try await conversations.list().count == 1)
            await assistant.shutdown()
            await expectError("closed") { _ = try await conversations.list() }
        }
    }

    @Test func aDocumentTakesConversationsToAnotherPhone() async throws {
        try await onPhone { phone, server in
            let assistant = try await phone.start(.unmetered)
            let conversation = try await assistant.conversations.create("Birds")
            let id = try #require(conversation.id)
            _ = try await conversation.ask(question).all()
            let document = phone.folder.appendingPathComponent("document").path
            try await assistant.conversations.export(to: document, ids: [id])
            await expectError("ledger") { try await assistant.conversations.export(to: document) }
            #expect(try await assistant.conversations.import(from: document).present == 1)
            await assistant.shutdown()

            try await withFolder { folder in
                let other = Phone(folder: folder, url: phone.url)
                let there = try await other.start(.unmetered)
                #expect(try await there.conversations.import(from: document).added == [id])
                let imported = try await there.conversations.open(id)
                #expect(imported.said == conversation.said)
                #expect(imported.messages().allSatisfy { $0.receipt == nil })
                let broken = folder.appendingPathComponent("broken")
                try Data("{\n \"no\": 1}".utf8).write(to: broken)
                do { _ = try await there.conversations.import(from: broken.path) } catch WhimbrelError.document(
                    let problem, let line, _, _)
                {
                    #expect(problem == "malformed" && line == 2)
                }
                await there.shutdown()
            }
            #expect(server.requests.count == 1)
        }
    }

    @Test func textsThatAConversationBeginsWithDoNotLeave() async throws {
        try await onPhone("In Africa.", "\"remote:house\"") { phone, server in
            let assistant = try await phone.start(.unmetered)
            let said = [Message(role: .user, content: question), Message(role: .assistant, content: "In Africa.")]
            let options = ConversationOptions(initialMessages: said)
            for conversation in [
                try assistant.conversation(options), try await assistant.conversations.create("", options: options),
            ] {
                #expect(conversation.messages().allSatisfy { $0.recipients == [] })
                #expect(try await conversation.ask("And in summer?").all().report?.bytesOut == 0)
            }
            #expect(server.requests.isEmpty)
            let long = ConversationOptions(initialMessages: Array(repeating: said[0], count: 4001))
            await expectError("limit_exceeded") { _ = try assistant.conversation(long) }
            await expectError("limit_exceeded") { _ = try await assistant.conversations.create("", options: long) }
            await assistant.shutdown()
        }
    }

    @Test func oneModelAloneKeepsConversations() async throws {
        try await withClient { client in
            try await withFolder { folder in
                let vault = TestVault()
                let path = folder.appendingPathComponent("store").path
                let store = try await client.conversations(at: path, vault: vault)
                await expectError("no_model") { _ = try await store.create() }
                let model = try await client.openModel(at: Models.tiny)
                let conversation = try await store.answered(by: model).create("", options: testContext)
                let report = try #require(try await conversation.ask("Hello", options: shortAnswer).all().report)
                #expect(report.isKept == true && report.queued == nil)
                let said = conversation.messages()
                await expectError("ledger") { _ = try await client.conversations(at: path, vault: vault) }
                for _ in 0..<2 { await store.shutdown() }
                await expectError("closed") { _ = try await store.list() }
                let again = try await client.conversations(at: path, vault: vault).answered(by: model)
                let listed = try #require(try await again.list().first)
                #expect(listed.title == "Hello" && listed.id == conversation.id)
                #expect(try await again.open(listed.id, options: testContext).messages() == said)
                await again.shutdown()
            }
        }
    }

    @Test func aQueuedQuestionCanBeEditedPutFirstAndRemoved() async throws {
        try await onPhone { phone, server in
            let assistant = try await phone.start(.offline)
            let outbox = assistant.outbox
            let conversation = try await assistant.conversations.create("Tunnel")
            let first = try #require(try await conversation.ask("One?").all().report?.queued)
            let second = try #require(try await conversation.ask("Two?").all().report?.queued)
            try await outbox.edit(first, "Another question")
            try await outbox.prioritise(second, .high)
            try await outbox.retry(first)
            do { try await outbox.confirm(first) } catch WhimbrelError.outbox(let problem, _) {
                #expect(problem == "not_asked")
            }
            try await outbox.cancel(second)
            await expectError("not_found") { try await outbox.cancel(second) }
            #expect(try await outbox.list().map(\.text) == ["Another question"])

            let (listening, isListening) = AsyncStream<Void>.makeStream()
            let hearing = Task {
                var states: [QueueState] = []
                for try await event in outbox.events {
                    isListening.finish()
                    guard case .changed(let id, _, let state) = event, id == first else { continue }
                    states.append(state)
                    if state == .answered { break }
                }
                return states
            }
            // It hears of everything from its first event on.
            for await _ in listening {}
            try await outbox.start()
            try assistant.updateDevice(DeviceUpdate(network: .unmetered))
            #expect(try await hearing.value.contains(.sending(decided: .asIs)))
            #expect(conversation.said == ["user: Another question", "assistant: In Africa."])
            #expect(server.requests.contains { $0.contains("Another question") })
            await assistant.shutdown()
            await expectError("closed") { for try await _ in outbox.events {} }
        }
    }

    @Test func aListHearsOfChangesUntilTheEnd() async throws {
        try await onPhone { phone, _ in
            let assistant = try await phone.start(.unmetered)
            var changes = assistant.conversations.changes.makeAsyncIterator()
            #expect(try await changes.next() != nil)
            let conversation = try await assistant.conversations.create("")
            #expect(try await changes.next() != nil)
            _ = try await conversation.ask("Hello").all()
            #expect(try await changes.next() != nil)
            // A task that is cancelled no longer waits.
            let waiting = Task { [conversations = assistant.conversations] in
                var heard = 0
                for try await _ in conversations.changes { heard += 1 }
                return heard
            }
            waiting.cancel()
            #expect(try await waiting.value <= 1)
            await assistant.shutdown()
            while try await changes.next() != nil {}
        }
    }

    @Test func aLockedVaultKeepsEverythingShutUntilItIsUnlocked() async throws {
        try await onPhone { phone, _ in
            try await phone.keepOne()
            phone.vault.failure = .locked
            do { _ = try await phone.start(.offline) } catch WhimbrelError.vault(_, let isLocked, let isInvalidated) {
                #expect(isLocked && !isInvalidated)
            }
            phone.vault.failure = .invalidated
            do { _ = try await phone.start(.offline) } catch WhimbrelError.vault(_, let isLocked, let isInvalidated) {
                #expect(!isLocked && isInvalidated)
            }
            phone.vault.failure = nil
            let assistant = try await phone.start(.offline)
            #expect(try await assistant.conversations.list().map(\.title) == ["Birds"])
            await assistant.shutdown()
        }
    }

    @Test func whatWasSealedWithALostKeyIsGivenUpAndTheLedgerStays() async throws {
        try await onPhone { phone, _ in
            try await phone.keepOne()
            let keys = "whimbrel.data-keys"
            try await withFolder { folder in
                let other = Phone(folder: folder)
                try await other.keepOne()
                let cases = [
                    ("wrong_key", other.vault.secret(keys)), ("keys_unreadable", Data("SECRET".utf8)),
                    ("key_lost", nil),
                ]
                for (expected, secret) in cases {
                    phone.vault.replace(keys, by: secret)
                    let assistant = try await phone.start(.offline)
                    do {
                        _ = try await assistant.conversations.list()
                        Issue.record("no error instead of \(expected)")
                    } catch WhimbrelError.sealed(let problem, let reason) {
                        #expect(problem == expected && !reason.contains("SECRET"))
                    }
                    #expect(try await assistant.receipts().count == 1)
                    await assistant.shutdown()
                }
            }
            #expect(try await Assistant.startEmpty(phone.store, vault: phone.vault) == nil)
            let assistant = try await phone.start(.offline)
            #expect(try await assistant.conversations.list().isEmpty)
            #expect(try await assistant.receipts().count == 1)
            await assistant.shutdown()
        }
    }

    @Test func anotherKeyIsMadeAndAWipeLeavesNothing() async throws {
        try await onPhone { phone, _ in
            try await phone.keepOne()
            let assistant = try await phone.start(.offline)
            let before = phone.vault.secret("whimbrel.data-keys")
            let rotation = try await assistant.conversations.rotateKey()
            #expect(rotation.rows > 0 && rotation.unreadable == 0)
            #expect(try await !assistant.conversations.isRotatingKey())
            #expect(phone.vault.secret("whimbrel.data-keys") != before)
            let nothing = Repaired(titles: 0, attributes: 0, messages: 0, questions: 0, answers: 0)
            #expect(try await assistant.conversations.repair() == nothing)
            #expect(try await assistant.conversations.list().map(\.title) == ["Birds"])
            await expectError("ledger") { try await Assistant.wipe(phone.store, vault: phone.vault) }
            await assistant.shutdown()
            for _ in 0..<2 { try await Assistant.wipe(phone.store, vault: phone.vault) }
            #expect(!FileManager.default.fileExists(atPath: phone.store) && phone.vault.names.isEmpty)
        }
    }
}
