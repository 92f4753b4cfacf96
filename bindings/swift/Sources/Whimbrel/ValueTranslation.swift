// scripts/bindings-values.py writes this from bindings/ffi/src/*.rs: change that, then run  make bindings.

internal import WhimbrelCore

extension OpenOptions {
    func toCore() throws -> WhimbrelCore.OpenOptions {
        WhimbrelCore.OpenOptions(
            threads: try coreNumber(threads, "threads") as UInt32,
            alwaysVerify: alwaysVerify,
            variant: variant,
            stateFolder: stateFolder,
            hugePages: hugePages,
            kvPrecision: kvPrecision.toCore()
        )
    }
}

extension KvPrecision {
    func toCore() -> WhimbrelCore.KvPrecision {
        switch self {
        case .half: .half
        case .int8: .int8
        }
    }
}

extension ContextPolicy {
    func toCore() -> WhimbrelCore.ContextPolicy {
        switch self {
        case .refuse: .refuse
        case .dropOldest: .dropOldest
        }
    }
}

extension ConversationOptions {
    func toCore() throws -> WhimbrelCore.ConversationOptions {
        WhimbrelCore.ConversationOptions(
            contextLength: try coreNumber(contextLength, "contextLength") as UInt32,
            system: system,
            contextPolicy: contextPolicy.toCore(),
            initialMessages: try initialMessages.map { try $0.toCore() }
        )
    }
}

extension GenerationOptions {
    func toCore() throws -> WhimbrelCore.GenerationOptions {
        WhimbrelCore.GenerationOptions(
            maxTokens: try coreNumber(maxTokens, "maxTokens") as UInt32,
            temperature: temperature,
            topK: try topK.map { try coreNumber($0, "topK") as UInt32 },
            topP: topP,
            minP: minP,
            repetitionPenalty: repetitionPenalty,
            repetitionWindow: try repetitionWindow.map { try coreNumber($0, "repetitionWindow") as UInt32 },
            seed: seed.map { UInt64(bitPattern: Int64($0)) },
            stop: stop,
            thinking: thinking,
            speculation: speculation,
            repetitionGuard: repetitionGuard,
            form: form?.toCore()
        )
    }
}

extension Form {
    func toCore() -> WhimbrelCore.Form {
        switch self {
        case .choice(let choices): .choice(choices: choices)
        case .jsonSchema(let schema): .jsonSchema(schema: schema)
        case .regex(let expression): .regex(expression: expression)
        case .grammar(let text): .grammar(text: text)
        }
    }
}

extension AskOptions {
    func toCore() throws -> WhimbrelCore.AskOptions {
        WhimbrelCore.AskOptions(
            task: task,
            privacyClass: privacyClass.toCore(),
            deadlineMs: try deadline.map { try coreMilliseconds($0, "deadline") as UInt64 },
            expiresInMs: try expiresIn.map { try coreMilliseconds($0, "expiresIn") as UInt64 },
            needs: needs.map { $0.toCore() },
            fresh: fresh,
            tools: try tools.toCore(),
            generation: try generation.toCore()
        )
    }
}

extension PrivacyClass {
    func toCore() -> WhimbrelCore.PrivacyClass {
        switch self {
        case .public: .public
        case .personal: .personal
        case .sensitive: .sensitive
        case .secret: .secret
        }
    }
}

extension WhimbrelCore.PrivacyClass {
    func toPublic() -> Whimbrel.PrivacyClass {
        switch self {
        case .public: .public
        case .personal: .personal
        case .sensitive: .sensitive
        case .secret: .secret
        }
    }
}

extension Need {
    func toCore() -> WhimbrelCore.Need {
        switch self {
        case .tools: .tools
        case .json: .json
        }
    }
}

extension WhimbrelCore.CacheUse {
    func toPublic() -> Whimbrel.CacheUse {
        Whimbrel.CacheUse(
            answers: Int(clamping: answers),
            answerBytes: Int(clamping: answerBytes),
            savedContexts: Int(clamping: savedContexts),
            savedContextBytes: Int(clamping: savedContextBytes),
            contexts: Int(clamping: contexts),
            contextBytes: Int(clamping: contextBytes)
        )
    }
}

extension CacheBudget {
    func toCore() throws -> WhimbrelCore.CacheBudget {
        WhimbrelCore.CacheBudget(
            diskBytes: try coreNumber(diskBytes, "diskBytes") as UInt64,
            memoryBytes: try coreNumber(memoryBytes, "memoryBytes") as UInt64
        )
    }
}

extension MemoryPressure {
    func toCore() -> WhimbrelCore.MemoryPressure {
        switch self {
        case .none: .none
        case .moderate: .moderate
        case .critical: .critical
        }
    }
}

extension Role {
    func toCore() -> WhimbrelCore.Role {
        switch self {
        case .system: .system
        case .user: .user
        case .assistant: .assistant
        }
    }
}

extension WhimbrelCore.Role {
    func toPublic() -> Whimbrel.Role {
        switch self {
        case .system: .system
        case .user: .user
        case .assistant: .assistant
        }
    }
}

extension Message {
    func toCore() throws -> WhimbrelCore.Message {
        WhimbrelCore.Message(
            role: role.toCore(),
            content: content,
            privacyClass: privacyClass?.toCore(),
            recipients: recipients,
            receipt: try receipt.map { try coreNumber($0, "receipt") as UInt64 },
            interrupted: isInterrupted
        )
    }
}

extension WhimbrelCore.Message {
    func toPublic() -> Whimbrel.Message {
        Whimbrel.Message(
            role: role.toPublic(),
            content: content,
            privacyClass: privacyClass?.toPublic(),
            recipients: recipients,
            receipt: receipt.map { Int(clamping: $0) },
            isInterrupted: interrupted
        )
    }
}

extension WhimbrelCore.Event {
    func toPublic() -> Whimbrel.Event {
        switch self {
        case .started(let place, let release): .started(place: place.toPublic(), release: release?.toPublic())
        case .reading(let done, let total): .reading(done: Int(clamping: done), total: Int(clamping: total))
        case .thinking(let text): .thinking(text: text)
        case .text(let text): .text(text: text)
        case .restarted: .restarted
        case .call(let call): .call(call: call.toPublic())
        case .finished(let report): .finished(report: report.toPublic())
        }
    }
}

extension ConversationSummary {
    func toCore() throws -> WhimbrelCore.ConversationSummary {
        WhimbrelCore.ConversationSummary(
            id: id,
            number: try coreNumber(number, "number") as UInt64,
            title: title,
            createdMs: try coreNumber(createdMs, "createdMs") as UInt64,
            updatedMs: try coreNumber(updatedMs, "updatedMs") as UInt64,
            pinned: isPinned,
            messages: try coreNumber(messages, "messages") as UInt32,
            bytes: try coreNumber(bytes, "bytes") as UInt64
        )
    }
}

extension WhimbrelCore.ConversationSummary {
    func toPublic() -> Whimbrel.ConversationSummary {
        Whimbrel.ConversationSummary(
            id: id,
            number: Int(clamping: number),
            title: title,
            createdMs: Int(clamping: createdMs),
            updatedMs: Int(clamping: updatedMs),
            isPinned: pinned,
            messages: Int(clamping: messages),
            bytes: Int(clamping: bytes)
        )
    }
}

extension WhimbrelCore.MessageState {
    func toPublic() -> Whimbrel.MessageState {
        switch self {
        case .complete: .complete
        case .inProgress: .inProgress
        case .interrupted: .interrupted
        case .lost: .lost
        }
    }
}

extension WhimbrelCore.KeptMessage {
    func toPublic() -> Whimbrel.KeptMessage {
        Whimbrel.KeptMessage(
            role: role.toPublic(),
            content: content,
            timeMs: Int(clamping: timeMs),
            receipt: receipt.map { Int(clamping: $0) },
            state: state.toPublic()
        )
    }
}

extension WhimbrelCore.KeptConversation {
    func toPublic() -> Whimbrel.KeptConversation {
        Whimbrel.KeptConversation(
            summary: summary.toPublic(),
            messages: messages.map { $0.toPublic() }
        )
    }
}

extension WhimbrelCore.SearchHit {
    func toPublic() -> Whimbrel.SearchHit {
        Whimbrel.SearchHit(
            conversation: conversation,
            message: message.map { Int(clamping: $0) },
            timeMs: Int(clamping: timeMs),
            text: text,
            start: Int(clamping: start),
            end: Int(clamping: end)
        )
    }
}

extension Retention {
    func toCore() throws -> WhimbrelCore.Retention {
        WhimbrelCore.Retention(
            updatedBeforeMs: try updatedBeforeMs.map { try coreNumber($0, "updatedBeforeMs") as UInt64 },
            conversationsMax: try conversationsMax.map { try coreNumber($0, "conversationsMax") as UInt32 }
        )
    }
}

extension WhimbrelCore.ImportedConversations {
    func toPublic() -> Whimbrel.ImportedConversations {
        Whimbrel.ImportedConversations(
            added: added,
            present: Int(clamping: present)
        )
    }
}

extension WhimbrelCore.Repaired {
    func toPublic() -> Whimbrel.Repaired {
        Whimbrel.Repaired(
            titles: Int(clamping: titles),
            attributes: Int(clamping: attributes),
            messages: Int(clamping: messages),
            questions: Int(clamping: questions),
            answers: Int(clamping: answers)
        )
    }
}

extension WhimbrelCore.Recovered {
    func toPublic() -> Whimbrel.Recovered {
        Whimbrel.Recovered(
            aside: aside,
            kept: kept.toPublic(),
            lost: lost.toPublic(),
            logPagesLost: Int(clamping: logPagesLost)
        )
    }
}

extension WhimbrelCore.RecoveredRows {
    func toPublic() -> Whimbrel.RecoveredRows {
        Whimbrel.RecoveredRows(
            conversations: Int(clamping: conversations),
            messages: Int(clamping: messages),
            questions: Int(clamping: questions),
            answers: Int(clamping: answers),
            entries: Int(clamping: entries),
            feedback: Int(clamping: feedback)
        )
    }
}

extension WhimbrelCore.KeyRotation {
    func toPublic() -> Whimbrel.KeyRotation {
        Whimbrel.KeyRotation(
            rows: Int(clamping: rows),
            unreadable: Int(clamping: unreadable)
        )
    }
}

extension WhimbrelCore.QueuedQuestion {
    func toPublic() -> Whimbrel.QueuedQuestion {
        Whimbrel.QueuedQuestion(
            id: Int(clamping: id),
            conversation: conversation,
            text: text,
            task: task,
            privacyClass: privacyClass.toPublic(),
            createdMs: Int(clamping: createdMs),
            priority: priority.toPublic(),
            attempts: Int(clamping: attempts),
            retryIn: retryInMs.map { .milliseconds($0) },
            needs: needs.toPublic(),
            state: state.toPublic()
        )
    }
}

extension WhimbrelCore.QueueNeeds {
    func toPublic() -> Whimbrel.QueueNeeds {
        Whimbrel.QueueNeeds(
            network: network,
            unmetered: unmetered,
            charging: charging
        )
    }
}

extension QueuePriority {
    func toCore() -> WhimbrelCore.QueuePriority {
        switch self {
        case .low: .low
        case .normal: .normal
        case .high: .high
        }
    }
}

extension WhimbrelCore.QueuePriority {
    func toPublic() -> Whimbrel.QueuePriority {
        switch self {
        case .low: .low
        case .normal: .normal
        case .high: .high
        }
    }
}

extension WhimbrelCore.QueueState {
    func toPublic() -> Whimbrel.QueueState {
        switch self {
        case .waiting: .waiting
        case .retrying(let failure): .retrying(failure: failure.toPublic())
        case .blocked(let by): .blocked(by: Int(clamping: by))
        case .sending(let decided): .sending(decided: decided?.toPublic())
        case .needsConfirmation: .needsConfirmation
        case .stuck(let failure): .stuck(failure: failure.toPublic())
        case .denied: .denied
        case .mayCost(let failure): .mayCost(failure: failure.toPublic())
        case .answered: .answered
        case .expired: .expired
        case .cancelled: .cancelled
        }
    }
}

extension WhimbrelCore.QueueFailure {
    func toPublic() -> Whimbrel.QueueFailure {
        Whimbrel.QueueFailure(
            code: code,
            status: status.map { Int(clamping: $0) },
            remedy: remedy.toPublic()
        )
    }
}

extension WhimbrelCore.QueueRemedy {
    func toPublic() -> Whimbrel.QueueRemedy {
        switch self {
        case .network: .network
        case .time: .time
        case .settings: .settings
        case .user: .user
        }
    }
}

extension WhimbrelCore.QueueDecision {
    func toPublic() -> Whimbrel.QueueDecision {
        switch self {
        case .onDevice: .onDevice
        case .redacted: .redacted
        case .asIs: .asIs
        }
    }
}

extension WhimbrelCore.OutboxEvent {
    func toPublic() -> Whimbrel.OutboxEvent {
        switch self {
        case .changed(let id, let conversation, let state):
            .changed(id: Int(clamping: id), conversation: conversation, state: state.toPublic())
        case .missed(let events): .missed(events: Int(clamping: events))
        }
    }
}

extension RunBudget {
    func toCore() throws -> WhimbrelCore.RunBudget {
        WhimbrelCore.RunBudget(
            attempts: try attempts.map { try coreNumber($0, "attempts") as UInt32 },
            withinMs: try within.map { try coreMilliseconds($0, "within") as UInt64 }
        )
    }
}

extension WhimbrelCore.OutboxRun {
    func toPublic() -> Whimbrel.OutboxRun {
        Whimbrel.OutboxRun(
            answered: Int(clamping: answered),
            left: Int(clamping: left),
            nextMs: nextMs.map { Int(clamping: $0) },
            nextNeeds: nextNeeds.toPublic()
        )
    }
}

extension WhimbrelCore.Report {
    func toPublic() -> Whimbrel.Report {
        Whimbrel.Report(
            receipt: receipt.map { Int(clamping: $0) },
            isRecorded: recorded,
            isKept: isKept,
            queued: queued.map { Int(clamping: $0) },
            answeredBefore: answeredBefore?.toPublic(),
            calls: calls.map { $0.toPublic() },
            outcome: outcome.toPublic(),
            code: code,
            isPartial: partial,
            finish: finish?.toPublic(),
            place: place?.toPublic(),
            release: release?.toPublic(),
            reasons: reasons,
            rules: rules,
            attempts: attempts,
            refused: refused.map { $0.toPublic() },
            bytesOut: Int(clamping: bytesOut),
            bytesIn: Int(clamping: bytesIn),
            redacted: Int(clamping: redacted),
            tokensIn: Int(clamping: tokensIn),
            tokensOut: Int(clamping: tokensOut),
            thinkingBytes: Int(clamping: thinkingBytes),
            timeToFirstToken: firstTokenMs.map { .milliseconds($0) },
            total: .milliseconds(totalMs),
            millijoules: millijoules.map { Int(clamping: $0) },
            statistics: statistics?.toPublic(),
            unsupported: unsupported,
            canEscalate: canEscalate,
            summary: summary,
            json: json
        )
    }
}

extension Outcome {
    func toCore() -> WhimbrelCore.Outcome {
        switch self {
        case .answered: .answered
        case .cancelled: .cancelled
        case .failed: .failed
        case .denied: .denied
        case .deferred: .deferred
        case .interrupted: .interrupted
        }
    }
}

extension WhimbrelCore.Outcome {
    func toPublic() -> Whimbrel.Outcome {
        switch self {
        case .answered: .answered
        case .cancelled: .cancelled
        case .failed: .failed
        case .denied: .denied
        case .deferred: .deferred
        case .interrupted: .interrupted
        }
    }
}

extension WhimbrelCore.FinishReason {
    func toPublic() -> Whimbrel.FinishReason {
        switch self {
        case .stop: .stop
        case .length: .length
        case .repetition: .repetition
        case .contentFilter: .contentFilter
        case .toolCalls: .toolCalls
        case .cancelled: .cancelled
        case .unstated: .unstated
        }
    }
}

extension WhimbrelCore.Place {
    func toPublic() -> Whimbrel.Place {
        switch self {
        case .onDevice(let model, let variant, let hash): .onDevice(model: model, variant: variant, hash: hash)
        case .systemModel(let adapter): .systemModel(adapter: adapter)
        case .remote(let endpoint, let trust, let model):
            .remote(endpoint: endpoint, trust: trust.toPublic(), model: model)
        }
    }
}

extension PlaceKind {
    func toCore() -> WhimbrelCore.PlaceKind {
        switch self {
        case .onDevice: .onDevice
        case .systemModel: .systemModel
        case .ownDevice: .ownDevice
        case .organisation: .organisation
        case .publicCloud: .publicCloud
        }
    }
}

extension WhimbrelCore.PlaceKind {
    func toPublic() -> Whimbrel.PlaceKind {
        switch self {
        case .onDevice: .onDevice
        case .systemModel: .systemModel
        case .ownDevice: .ownDevice
        case .organisation: .organisation
        case .publicCloud: .publicCloud
        }
    }
}

extension WhimbrelCore.TrustClass {
    func toPublic() -> Whimbrel.TrustClass {
        switch self {
        case .ownDevice: .ownDevice
        case .organisation: .organisation
        case .publicCloud: .publicCloud
        }
    }
}

extension WhimbrelCore.Release {
    func toPublic() -> Whimbrel.Release {
        switch self {
        case .asIs: .asIs
        case .redacted: .redacted
        }
    }
}

extension WhimbrelCore.Refused {
    func toPublic() -> Whimbrel.Refused {
        Whimbrel.Refused(
            name: name,
            reason: reason
        )
    }
}

extension WhimbrelCore.Statistics {
    func toPublic() -> Whimbrel.Statistics {
        Whimbrel.Statistics(
            promptTokens: Int(clamping: promptTokens),
            reusedTokens: Int(clamping: reusedTokens),
            completionTokens: Int(clamping: completionTokens),
            draftedTokens: Int(clamping: draftedTokens),
            acceptedTokens: Int(clamping: acceptedTokens),
            forcedTokens: Int(clamping: forcedTokens),
            droppedMessages: Int(clamping: droppedMessages),
            timeToFirstToken: .milliseconds(timeToFirstTokenMs),
            total: .milliseconds(totalMs),
            prefillTokensPerSecond: prefillTokensPerSecond,
            decodeTokensPerSecond: decodeTokensPerSecond
        )
    }
}

extension WhimbrelCore.Decision {
    func toPublic() -> Whimbrel.Decision {
        switch self {
        case .run: .run
        case .defer: .defer
        case .denied: .denied
        case .unavailable: .unavailable
        }
    }
}

extension WhimbrelCore.AnsweredBefore {
    func toPublic() -> Whimbrel.AnsweredBefore {
        Whimbrel.AnsweredBefore(
            receipt: Int(clamping: receipt),
            age: .milliseconds(ageMs)
        )
    }
}

extension WhimbrelCore.Explanation {
    func toPublic() -> Whimbrel.Explanation {
        Whimbrel.Explanation(
            decision: decision.toPublic(),
            candidates: candidates,
            refused: refused.map { $0.toPublic() },
            rules: rules,
            text: text,
            json: json
        )
    }
}

extension Preset {
    func toCore() -> WhimbrelCore.Preset {
        switch self {
        case .private: .private
        case .onDeviceFirst: .onDeviceFirst
        case .balanced: .balanced
        case .qualityFirst: .qualityFirst
        }
    }
}

extension PolicyDocument {
    func toCore() -> WhimbrelCore.PolicyDocument {
        switch self {
        case .toml(let text): .toml(text: text)
        case .json(let text): .json(text: text)
        case .preset(let preset, let endpoints): .preset(preset: preset.toCore(), endpoints: endpoints)
        }
    }
}

extension Pins {
    func toCore() throws -> WhimbrelCore.Pins {
        WhimbrelCore.Pins(
            sha256: sha256,
            expiresUnixS: try coreNumber(expiresUnixSeconds, "expiresUnixSeconds") as UInt64,
            reportOnly: isReportOnly
        )
    }
}

extension Timeouts {
    func toCore() throws -> WhimbrelCore.Timeouts {
        WhimbrelCore.Timeouts(
            connectMs: try coreMilliseconds(connect, "connect") as UInt32,
            firstByteMs: try coreMilliseconds(firstByte, "firstByte") as UInt32,
            idleMs: try coreMilliseconds(idle, "idle") as UInt32,
            totalMs: try coreMilliseconds(total, "total") as UInt32
        )
    }
}

extension TokenLimitField {
    func toCore() -> WhimbrelCore.TokenLimitField {
        switch self {
        case .maxTokens: .maxTokens
        case .maxCompletionTokens: .maxCompletionTokens
        }
    }
}

extension EndpointExtras {
    func toCore() throws -> WhimbrelCore.EndpointExtras {
        WhimbrelCore.EndpointExtras(
            authoritiesPem: authoritiesPem,
            pins: try pins?.toCore(),
            timeouts: try timeouts?.toCore(),
            keyHeader: keyHeader,
            tokenLimitField: tokenLimitField.toCore()
        )
    }
}

extension LearningMode {
    func toCore() -> WhimbrelCore.LearningMode {
        switch self {
        case .on: .on
        case .frozen: .frozen
        case .off: .off
        }
    }
}

extension WhimbrelCore.LearningMode {
    func toPublic() -> Whimbrel.LearningMode {
        switch self {
        case .on: .on
        case .frozen: .frozen
        case .off: .off
        }
    }
}

extension Signal {
    func toCore() throws -> WhimbrelCore.Signal {
        switch self {
        case .thumbsUp: .thumbsUp
        case .thumbsDown: .thumbsDown
        case .regenerated: .regenerated
        case .aborted: .aborted
        case .kept(let editedPermille):
            .kept(editedPermille: try coreNumber(editedPermille, "editedPermille") as UInt32)
        case .schemaFailed: .schemaFailed
        case .escalationAccepted: .escalationAccepted
        }
    }
}

extension Thermal {
    func toCore() -> WhimbrelCore.Thermal {
        switch self {
        case .nominal: .nominal
        case .fair: .fair
        case .serious: .serious
        case .critical: .critical
        }
    }
}

extension WhimbrelCore.Thermal {
    func toPublic() -> Whimbrel.Thermal {
        switch self {
        case .nominal: .nominal
        case .fair: .fair
        case .serious: .serious
        case .critical: .critical
        }
    }
}

extension Network {
    func toCore() -> WhimbrelCore.Network {
        switch self {
        case .offline: .offline
        case .metered: .metered
        case .unmetered: .unmetered
        case .roaming: .roaming
        }
    }
}

extension Accelerator {
    func toCore() -> WhimbrelCore.Accelerator {
        switch self {
        case .gpu: .gpu
        case .npu: .npu
        case .dsp: .dsp
        }
    }
}

extension DeviceFact {
    func toCore() -> WhimbrelCore.DeviceFact {
        switch self {
        case .batteryPercent: .batteryPercent
        case .charging: .charging
        case .batteryMilliwatts: .batteryMilliwatts
        case .powerSave: .powerSave
        case .thermal: .thermal
        case .memoryTotalBytes: .memoryTotalBytes
        case .memoryAvailableBytes: .memoryAvailableBytes
        case .memoryProcessBytes: .memoryProcessBytes
        case .storageFreeBytes: .storageFreeBytes
        case .network: .network
        case .roundTripMs: .roundTripMs
        case .lossPercent: .lossPercent
        case .performanceCores: .performanceCores
        case .accelerators: .accelerators
        case .foreground: .foreground
        }
    }
}

extension DeviceUpdate {
    func toCore() throws -> WhimbrelCore.DeviceUpdate {
        WhimbrelCore.DeviceUpdate(
            batteryPercent: try batteryPercent.map { try corePercent($0, "batteryPercent") },
            charging: charging,
            batteryMilliwatts: try batteryMilliwatts.map { try coreNumber($0, "batteryMilliwatts") as UInt32 },
            powerSave: powerSave,
            thermal: thermal?.toCore(),
            memoryTotalBytes: try memoryTotalBytes.map { try coreNumber($0, "memoryTotalBytes") as UInt64 },
            memoryAvailableBytes: try memoryAvailableBytes.map { try coreNumber($0, "memoryAvailableBytes") as UInt64 },
            memoryProcessBytes: try memoryProcessBytes.map { try coreNumber($0, "memoryProcessBytes") as UInt64 },
            storageFreeBytes: try storageFreeBytes.map { try coreNumber($0, "storageFreeBytes") as UInt64 },
            network: network?.toCore(),
            roundTripMs: try roundTrip.map { try coreMilliseconds($0, "roundTrip") as UInt32 },
            lossPercent: try lossPercent.map { try corePercent($0, "lossPercent") },
            performanceCores: try performanceCores.map { try coreNumber($0, "performanceCores") as UInt32 },
            accelerators: accelerators?.map { $0.toCore() },
            foreground: foreground,
            unknown: unknown.map { $0.toCore() }
        )
    }
}

extension ReceiptFilter {
    func toCore() throws -> WhimbrelCore.ReceiptFilter {
        WhimbrelCore.ReceiptFilter(
            before: try before.map { try coreNumber($0, "before") as UInt64 },
            fromMs: try fromMs.map { try coreNumber($0, "fromMs") as UInt64 },
            untilMs: try untilMs.map { try coreNumber($0, "untilMs") as UInt64 },
            outcome: outcome?.toCore(),
            place: place?.toCore()
        )
    }
}

extension WhimbrelCore.Receipt {
    func toPublic() -> Whimbrel.Receipt {
        Whimbrel.Receipt(
            id: Int(clamping: id),
            openedMs: Int(clamping: openedMs),
            closedMs: closedMs.map { Int(clamping: $0) },
            outcome: outcome?.toPublic(),
            place: place?.toPublic(),
            task: task,
            privacyClass: privacyClass.toPublic(),
            rules: rules,
            findings: counts(findings),
            redacted: counts(redacted),
            repeated: counts(repeated),
            bytesOut: Int(clamping: bytesOut),
            bytesOutUncertain: Int(clamping: bytesOutUncertain),
            bytesIn: Int(clamping: bytesIn),
            answeredBefore: answeredBefore.map { Int(clamping: $0) },
            json: json
        )
    }
}

extension WhimbrelCore.LedgerReport {
    func toPublic() -> Whimbrel.LedgerReport {
        Whimbrel.LedgerReport(
            isIntact: intact,
            entries: Int(clamping: entries),
            receipts: Int(clamping: receipts),
            problems: problems,
            json: json
        )
    }
}

extension Host {
    func toCore() -> WhimbrelCore.Host {
        switch self {
        case .phone: .phone
        case .tablet: .tablet
        case .computer: .computer
        }
    }
}

extension WhimbrelCore.LedgerStats {
    func toPublic() -> Whimbrel.LedgerStats {
        Whimbrel.LedgerStats(
            receipts: Int(clamping: receipts),
            answers: present([
                .onDevice: answersOnDevice,
                .systemModel: answersSystemModel,
                .ownDevice: answersOwnDevice,
                .organisation: answersOrganisation,
                .publicCloud: answersPublicCloud,
            ]),
            ends: present([
                .cancelled: cancelled,
                .failed: failed,
                .denied: denied,
                .deferred: deferred,
                .interrupted: interrupted,
            ]),
            answersGivenAgain: Int(clamping: answersGivenAgain),
            unfinished: Int(clamping: unfinished),
            bytesOut: Int(clamping: bytesOut),
            bytesOutUncertain: Int(clamping: bytesOutUncertain),
            bytesIn: Int(clamping: bytesIn),
            personalAsIs: Int(clamping: personalAsIs),
            redacted: counts(redacted),
            tokensIn: Int(clamping: tokensIn),
            tokensOut: Int(clamping: tokensOut),
            millijoules: Int(clamping: millijoules),
            summary: summary
        )
    }
}

extension Prune {
    func toCore() throws -> WhimbrelCore.Prune {
        WhimbrelCore.Prune(
            openedBeforeMs: try openedBeforeMs.map { try coreNumber($0, "openedBeforeMs") as UInt64 },
            receiptsMax: try receiptsMax.map { try coreNumber($0, "receiptsMax") as UInt64 }
        )
    }
}

extension WhimbrelCore.Checkpoint {
    func toPublic() -> Whimbrel.Checkpoint {
        Whimbrel.Checkpoint(
            sequence: Int(clamping: sequence),
            receipts: Int(clamping: receipts),
            hash: hash,
            timeMs: Int(clamping: timeMs)
        )
    }
}

extension WhimbrelCore.Performance {
    func toPublic() -> Whimbrel.Performance {
        Whimbrel.Performance(
            beginsMs: Int(clamping: beginsMs),
            throughMs: Int(clamping: throughMs),
            outcomes: outcomes.toPublic(),
            series: series.map { $0.toPublic() },
            days: days.map { $0.toPublic() },
            regressions: regressions.map { $0.toPublic() },
            failures: failures.map { $0.toPublic() },
            energy: energy.map { $0.toPublic() },
            endings: endings.map { $0.toPublic() },
            json: json
        )
    }
}

extension WhimbrelCore.RequestOutcomes {
    func toPublic() -> Whimbrel.RequestOutcomes {
        Whimbrel.RequestOutcomes(
            answered: Int(clamping: answered),
            givenAgain: Int(clamping: givenAgain),
            cancelled: Int(clamping: cancelled),
            failed: Int(clamping: failed),
            denied: Int(clamping: denied),
            deferred: Int(clamping: deferred),
            interrupted: Int(clamping: interrupted)
        )
    }
}

extension WhimbrelCore.PerformanceSeries {
    func toPublic() -> Whimbrel.PerformanceSeries {
        Whimbrel.PerformanceSeries(
            place: place?.toPublic(),
            model: model,
            variant: variant,
            task: task,
            device: device?.toPublic(),
            outcomes: outcomes.toPublic(),
            bytesOut: Int(clamping: bytesOut),
            bytesIn: Int(clamping: bytesIn),
            memoryBytesMax: Int(clamping: memoryBytesMax),
            measures: measures.map { $0.toPublic() }
        )
    }
}

extension WhimbrelCore.DeviceClass {
    func toPublic() -> Whimbrel.DeviceClass {
        switch self {
        case .small: .small
        case .medium: .medium
        case .large: .large
        }
    }
}

extension WhimbrelCore.Measure {
    func toPublic() -> Whimbrel.Measure {
        switch self {
        case .total: .total
        case .firstToken: .firstToken
        case .examine: .examine
        case .decide: .decide
        case .load: .load
        case .prefillToken: .prefillToken
        case .decodeToken: .decodeToken
        case .network: .network
        case .processor: .processor
        case .inputTokens: .inputTokens
        case .outputTokens: .outputTokens
        case .energy: .energy
        }
    }
}

extension WhimbrelCore.MeasuredValues {
    func toPublic() -> Whimbrel.MeasuredValues {
        Whimbrel.MeasuredValues(
            measure: measure.toPublic(),
            count: Int(clamping: count),
            sum: Int(clamping: sum),
            min: Int(clamping: min),
            max: Int(clamping: max),
            median: median,
            p95: p95,
            bounds: bounds.map { Int(clamping: $0) },
            counts: counts.map { Int(clamping: $0) }
        )
    }
}

extension WhimbrelCore.PerformanceDay {
    func toPublic() -> Whimbrel.PerformanceDay {
        Whimbrel.PerformanceDay(
            beginsMs: Int(clamping: beginsMs),
            outcomes: outcomes.toPublic(),
            answeredHere: Int(clamping: answeredHere),
            answeredElsewhere: Int(clamping: answeredElsewhere),
            bytesOut: Int(clamping: bytesOut),
            outputTokens: Int(clamping: outputTokens),
            millijoules: Int(clamping: millijoules),
            medianFirstToken: medianFirstTokenMs.map { .milliseconds($0) },
            decodeTokensPerSecond: decodeTokensPerSecond,
            batteryPercentPerHour: batteryPercentPerHour,
            thermalMax: thermalMax?.toPublic()
        )
    }
}

extension WhimbrelCore.RegressionKind {
    func toPublic() -> Whimbrel.RegressionKind {
        switch self {
        case .slower: .slower
        case .worse: .worse
        case .rejected: .rejected
        }
    }
}

extension WhimbrelCore.Regression {
    func toPublic() -> Whimbrel.Regression {
        Whimbrel.Regression(
            model: model,
            variant: variant,
            kind: kind.toPublic(),
            sinceMs: Int(clamping: sinceMs),
            foundMs: Int(clamping: foundMs),
            before: before,
            after: after
        )
    }
}

extension WhimbrelCore.FailureCount {
    func toPublic() -> Whimbrel.FailureCount {
        Whimbrel.FailureCount(
            code: code,
            count: Int(clamping: count)
        )
    }
}

extension WhimbrelCore.RequestStage {
    func toPublic() -> Whimbrel.RequestStage {
        switch self {
        case .decide: .decide
        case .load: .load
        case .prefill: .prefill
        case .decode: .decode
        case .network: .network
        case .receive: .receive
        case .tool: .tool
        }
    }
}

extension WhimbrelCore.RequestEnding {
    func toPublic() -> Whimbrel.RequestEnding {
        Whimbrel.RequestEnding(
            stage: stage.toPublic(),
            progressMs: Int(clamping: progressMs),
            aliveMs: Int(clamping: aliveMs),
            isStuck: stuck
        )
    }
}

extension WhimbrelCore.EndingCount {
    func toPublic() -> Whimbrel.EndingCount {
        Whimbrel.EndingCount(
            stage: stage.toPublic(),
            times: Int(clamping: times),
            stuck: Int(clamping: stuck)
        )
    }
}

extension WhimbrelCore.EnergyTotal {
    func toPublic() -> Whimbrel.EnergyTotal {
        Whimbrel.EnergyTotal(
            method: method,
            millijoules: Int(clamping: millijoules)
        )
    }
}

extension WhimbrelCore.Finding {
    func toPublic() -> Whimbrel.Finding {
        Whimbrel.Finding(
            kind: kind,
            start: Int(clamping: start),
            end: Int(clamping: end),
            confidence: confidence,
            placeholder: placeholder
        )
    }
}

extension WhimbrelCore.Guess {
    func toPublic() -> Whimbrel.Guess {
        Whimbrel.Guess(
            kind: kind,
            start: Int(clamping: start),
            end: Int(clamping: end)
        )
    }
}

extension WhimbrelCore.RedactedText {
    func toPublic() -> Whimbrel.RedactedText {
        Whimbrel.RedactedText(
            text: text,
            findings: findings.map { $0.toPublic() },
            guesses: guesses.map { $0.toPublic() }
        )
    }
}

extension Availability {
    func toCore() -> WhimbrelCore.Availability {
        switch self {
        case .available: .available
        case .busy: .busy
        case .downloading: .downloading
        case .unavailable: .unavailable
        }
    }
}

extension SystemCapabilities {
    func toCore() throws -> WhimbrelCore.SystemCapabilities {
        WhimbrelCore.SystemCapabilities(
            model: model,
            availability: availability.toCore(),
            supports: supports.map { $0.toCore() },
            contextTokens: try contextTokens.map { try coreNumber($0, "contextTokens") as UInt32 },
            firstTokenMs: try timeToFirstToken.map { try coreMilliseconds($0, "timeToFirstToken") as UInt32 },
            tokensPerS: tokensPerSecond
        )
    }
}

extension SystemFailure {
    func toCore() -> WhimbrelCore.SystemFailure {
        switch self {
        case .busy: .busy
        case .quotaExceeded: .quotaExceeded
        case .declined: .declined
        case .outOfMemory: .outOfMemory
        case .unavailable: .unavailable
        case .failed: .failed
        }
    }
}

extension WhimbrelCore.ModelInfo {
    func toPublic() -> Whimbrel.ModelInfo {
        Whimbrel.ModelInfo(
            name: name,
            version: version,
            licence: licence,
            contextLength: Int(clamping: contextLength),
            layers: Int(clamping: layers),
            threads: Int(clamping: threads),
            loadTime: .milliseconds(loadMs),
            hasChatTemplate: hasChatTemplate,
            canThink: canThink,
            languages: languages,
            limits: limits
        )
    }
}

extension WhimbrelCore.ImportPhase {
    func toPublic() -> Whimbrel.ImportPhase {
        switch self {
        case .hashing: .hashing
        case .waiting: .waiting
        case .writing: .writing
        }
    }
}

extension WhimbrelCore.ImportEvent {
    func toPublic() -> Whimbrel.ImportEvent {
        switch self {
        case .progress(let phase, let done, let total):
            .progress(phase: phase.toPublic(), done: Int(clamping: done), total: Int(clamping: total))
        case .notice(let text): .notice(text: text)
        case .finished(let path): .finished(path: path)
        }
    }
}

extension WhimbrelCore.TaskNeeds {
    func toPublic() -> Whimbrel.TaskNeeds {
        switch self {
        case .nothing: .nothing
        case .choices: .choices
        case .schema: .schema
        }
    }
}

extension WhimbrelCore.TaskInfo {
    func toPublic() -> Whimbrel.TaskInfo {
        Whimbrel.TaskInfo(
            name: name,
            description: description,
            languages: languages,
            needs: needs.toPublic(),
            textBytesMax: Int(clamping: textBytesMax)
        )
    }
}

extension TaskOptions {
    func toCore() throws -> WhimbrelCore.TaskOptions {
        WhimbrelCore.TaskOptions(
            privacyClass: privacyClass.toCore(),
            deadlineMs: try deadline.map { try coreMilliseconds($0, "deadline") as UInt64 },
            fresh: fresh
        )
    }
}

extension TelemetrySignals {
    func toCore() -> WhimbrelCore.TelemetrySignals {
        WhimbrelCore.TelemetrySignals(
            metrics: metrics,
            traces: traces
        )
    }
}

extension WhimbrelCore.TelemetrySignals {
    func toPublic() -> Whimbrel.TelemetrySignals {
        Whimbrel.TelemetrySignals(
            metrics: metrics,
            traces: traces
        )
    }
}

extension WhimbrelCore.TelemetryTarget {
    func toPublic() -> Whimbrel.TelemetryTarget {
        Whimbrel.TelemetryTarget(
            url: url,
            service: service,
            trust: trust.toPublic(),
            signals: signals.toPublic(),
            bytesADay: Int(clamping: bytesADay),
            connectionsADay: Int(clamping: connectionsADay),
            isMeteredAllowed: metered
        )
    }
}

extension WhimbrelCore.TelemetryConsent {
    func toPublic() -> Whimbrel.TelemetryConsent {
        Whimbrel.TelemetryConsent(
            url: url,
            service: service,
            signals: signals.toPublic(),
            givenMs: Int(clamping: givenMs)
        )
    }
}

extension WhimbrelCore.TelemetryStatus {
    func toPublic() -> Whimbrel.TelemetryStatus {
        Whimbrel.TelemetryStatus(
            target: target?.toPublic(),
            consent: consent?.toPublic(),
            signals: signals.toPublic(),
            bytesToday: Int(clamping: bytesToday),
            connectionsToday: Int(clamping: connectionsToday),
            waiting: Int(clamping: waiting),
            dropped: Int(clamping: dropped),
            rejected: Int(clamping: rejected),
            json: json
        )
    }
}

extension WhimbrelCore.TelemetryRun {
    func toPublic() -> Whimbrel.TelemetryRun {
        Whimbrel.TelemetryRun(
            bytesOut: Int(clamping: bytesOut),
            metrics: metrics,
            requests: Int(clamping: requests),
            rejected: Int(clamping: rejected),
            because: because,
            nextMs: nextMs.map { Int(clamping: $0) }
        )
    }
}

extension Tool {
    func toCore() -> WhimbrelCore.Tool {
        WhimbrelCore.Tool(
            name: name,
            description: description,
            parameters: parameters,
            permission: permission.toCore(),
            resultClass: resultClass.toCore()
        )
    }
}

extension ToolPermission {
    func toCore() -> WhimbrelCore.ToolPermission {
        switch self {
        case .always: .always
        case .confirm: .confirm
        case .never: .never
        }
    }
}

extension ToolChoice {
    func toCore() -> WhimbrelCore.ToolChoice {
        switch self {
        case .auto: .auto
        case .none: .none
        case .required: .required
        }
    }
}

extension ToolOptions {
    func toCore() throws -> WhimbrelCore.ToolOptions {
        WhimbrelCore.ToolOptions(
            tools: tools.map { $0.toCore() },
            choice: choice.toCore(),
            callsMax: try coreNumber(callsMax, "callsMax") as UInt32,
            resultMsMax: try coreMilliseconds(resultTimeMax, "resultTimeMax") as UInt64
        )
    }
}

extension WhimbrelCore.PendingCall {
    func toPublic() -> Whimbrel.PendingCall {
        Whimbrel.PendingCall(
            id: Int(clamping: id),
            name: name,
            arguments: arguments,
            mustConfirm: mustConfirm
        )
    }
}

extension ToolResult {
    func toCore() -> WhimbrelCore.ToolResult {
        switch self {
        case .done(let text): .done(text: text)
        case .failed(let reason): .failed(reason: reason)
        case .refused: .refused
        }
    }
}

extension WhimbrelCore.CallReport {
    func toPublic() -> Whimbrel.CallReport {
        Whimbrel.CallReport(
            name: name,
            end: end.toPublic(),
            receipt: receipt.map { Int(clamping: $0) }
        )
    }
}

extension WhimbrelCore.CallEnd {
    func toPublic() -> Whimbrel.CallEnd {
        switch self {
        case .done: .done
        case .failed: .failed
        case .refused: .refused
        case .notAllowed: .notAllowed
        case .timedOut: .timedOut
        case .tooMany: .tooMany
        case .dropped: .dropped
        }
    }
}

extension VaultLevel {
    func toCore() -> WhimbrelCore.VaultLevel {
        switch self {
        case .memory: .memory
        case .file: .file
        case .software: .software
        case .hardware: .hardware
        }
    }
}

extension LogLevel {
    func toCore() -> WhimbrelCore.LogLevel {
        switch self {
        case .off: .off
        case .error: .error
        case .warn: .warn
        case .info: .info
        case .debug: .debug
        case .trace: .trace
        }
    }
}

extension WhimbrelCore.LogLevel {
    func toPublic() -> Whimbrel.LogLevel {
        switch self {
        case .off: .off
        case .error: .error
        case .warn: .warn
        case .info: .info
        case .debug: .debug
        case .trace: .trace
        }
    }
}
