// scripts/bindings-values.py writes this from bindings/ffi/src/*.rs: change that, then run  make bindings.
package org.whimbrel

import kotlin.time.Duration.Companion.milliseconds
import org.whimbrel.ffi.Accelerator as CoreAccelerator
import org.whimbrel.ffi.AnsweredBefore as CoreAnsweredBefore
import org.whimbrel.ffi.AskOptions as CoreAskOptions
import org.whimbrel.ffi.Availability as CoreAvailability
import org.whimbrel.ffi.CacheBudget as CoreCacheBudget
import org.whimbrel.ffi.CacheUse as CoreCacheUse
import org.whimbrel.ffi.CallEnd as CoreCallEnd
import org.whimbrel.ffi.CallReport as CoreCallReport
import org.whimbrel.ffi.Checkpoint as CoreCheckpoint
import org.whimbrel.ffi.ContextPolicy as CoreContextPolicy
import org.whimbrel.ffi.ConversationOptions as CoreConversationOptions
import org.whimbrel.ffi.ConversationSummary as CoreConversationSummary
import org.whimbrel.ffi.Decision as CoreDecision
import org.whimbrel.ffi.DeviceClass as CoreDeviceClass
import org.whimbrel.ffi.DeviceFact as CoreDeviceFact
import org.whimbrel.ffi.DeviceUpdate as CoreDeviceUpdate
import org.whimbrel.ffi.EndingCount as CoreEndingCount
import org.whimbrel.ffi.EndpointExtras as CoreEndpointExtras
import org.whimbrel.ffi.EnergyTotal as CoreEnergyTotal
import org.whimbrel.ffi.Event as CoreEvent
import org.whimbrel.ffi.Explanation as CoreExplanation
import org.whimbrel.ffi.FailureCount as CoreFailureCount
import org.whimbrel.ffi.Finding as CoreFinding
import org.whimbrel.ffi.FinishReason as CoreFinishReason
import org.whimbrel.ffi.Form as CoreForm
import org.whimbrel.ffi.GenerationOptions as CoreGenerationOptions
import org.whimbrel.ffi.Guess as CoreGuess
import org.whimbrel.ffi.Host as CoreHost
import org.whimbrel.ffi.ImportEvent as CoreImportEvent
import org.whimbrel.ffi.ImportPhase as CoreImportPhase
import org.whimbrel.ffi.ImportedConversations as CoreImportedConversations
import org.whimbrel.ffi.KeptConversation as CoreKeptConversation
import org.whimbrel.ffi.KeptMessage as CoreKeptMessage
import org.whimbrel.ffi.KeyRotation as CoreKeyRotation
import org.whimbrel.ffi.KvPrecision as CoreKvPrecision
import org.whimbrel.ffi.LearningMode as CoreLearningMode
import org.whimbrel.ffi.LedgerReport as CoreLedgerReport
import org.whimbrel.ffi.LedgerStats as CoreLedgerStats
import org.whimbrel.ffi.LogLevel as CoreLogLevel
import org.whimbrel.ffi.Measure as CoreMeasure
import org.whimbrel.ffi.MeasuredValues as CoreMeasuredValues
import org.whimbrel.ffi.MemoryPressure as CoreMemoryPressure
import org.whimbrel.ffi.Message as CoreMessage
import org.whimbrel.ffi.MessageState as CoreMessageState
import org.whimbrel.ffi.ModelInfo as CoreModelInfo
import org.whimbrel.ffi.Need as CoreNeed
import org.whimbrel.ffi.Network as CoreNetwork
import org.whimbrel.ffi.OpenOptions as CoreOpenOptions
import org.whimbrel.ffi.OutboxEvent as CoreOutboxEvent
import org.whimbrel.ffi.OutboxRun as CoreOutboxRun
import org.whimbrel.ffi.Outcome as CoreOutcome
import org.whimbrel.ffi.PendingCall as CorePendingCall
import org.whimbrel.ffi.Performance as CorePerformance
import org.whimbrel.ffi.PerformanceDay as CorePerformanceDay
import org.whimbrel.ffi.PerformanceSeries as CorePerformanceSeries
import org.whimbrel.ffi.Pins as CorePins
import org.whimbrel.ffi.Place as CorePlace
import org.whimbrel.ffi.PlaceKind as CorePlaceKind
import org.whimbrel.ffi.PolicyDocument as CorePolicyDocument
import org.whimbrel.ffi.Preset as CorePreset
import org.whimbrel.ffi.PrivacyClass as CorePrivacyClass
import org.whimbrel.ffi.Prune as CorePrune
import org.whimbrel.ffi.QueueDecision as CoreQueueDecision
import org.whimbrel.ffi.QueueFailure as CoreQueueFailure
import org.whimbrel.ffi.QueueNeeds as CoreQueueNeeds
import org.whimbrel.ffi.QueuePriority as CoreQueuePriority
import org.whimbrel.ffi.QueueRemedy as CoreQueueRemedy
import org.whimbrel.ffi.QueueState as CoreQueueState
import org.whimbrel.ffi.QueuedQuestion as CoreQueuedQuestion
import org.whimbrel.ffi.Receipt as CoreReceipt
import org.whimbrel.ffi.ReceiptFilter as CoreReceiptFilter
import org.whimbrel.ffi.Recovered as CoreRecovered
import org.whimbrel.ffi.RecoveredRows as CoreRecoveredRows
import org.whimbrel.ffi.RedactedText as CoreRedactedText
import org.whimbrel.ffi.Refused as CoreRefused
import org.whimbrel.ffi.Regression as CoreRegression
import org.whimbrel.ffi.RegressionKind as CoreRegressionKind
import org.whimbrel.ffi.Release as CoreRelease
import org.whimbrel.ffi.Repaired as CoreRepaired
import org.whimbrel.ffi.Report as CoreReport
import org.whimbrel.ffi.RequestEnding as CoreRequestEnding
import org.whimbrel.ffi.RequestOutcomes as CoreRequestOutcomes
import org.whimbrel.ffi.RequestStage as CoreRequestStage
import org.whimbrel.ffi.Retention as CoreRetention
import org.whimbrel.ffi.Role as CoreRole
import org.whimbrel.ffi.RunBudget as CoreRunBudget
import org.whimbrel.ffi.SearchHit as CoreSearchHit
import org.whimbrel.ffi.Signal as CoreSignal
import org.whimbrel.ffi.Statistics as CoreStatistics
import org.whimbrel.ffi.SystemCapabilities as CoreSystemCapabilities
import org.whimbrel.ffi.SystemFailure as CoreSystemFailure
import org.whimbrel.ffi.TaskInfo as CoreTaskInfo
import org.whimbrel.ffi.TaskNeeds as CoreTaskNeeds
import org.whimbrel.ffi.TaskOptions as CoreTaskOptions
import org.whimbrel.ffi.TelemetryConsent as CoreTelemetryConsent
import org.whimbrel.ffi.TelemetryRun as CoreTelemetryRun
import org.whimbrel.ffi.TelemetrySignals as CoreTelemetrySignals
import org.whimbrel.ffi.TelemetryStatus as CoreTelemetryStatus
import org.whimbrel.ffi.TelemetryTarget as CoreTelemetryTarget
import org.whimbrel.ffi.Thermal as CoreThermal
import org.whimbrel.ffi.Timeouts as CoreTimeouts
import org.whimbrel.ffi.TokenLimitField as CoreTokenLimitField
import org.whimbrel.ffi.Tool as CoreTool
import org.whimbrel.ffi.ToolChoice as CoreToolChoice
import org.whimbrel.ffi.ToolOptions as CoreToolOptions
import org.whimbrel.ffi.ToolPermission as CoreToolPermission
import org.whimbrel.ffi.ToolResult as CoreToolResult
import org.whimbrel.ffi.TrustClass as CoreTrustClass
import org.whimbrel.ffi.VaultLevel as CoreVaultLevel

internal fun OpenOptions.toCore(): CoreOpenOptions =
    CoreOpenOptions(
        threads = threads.atLeastZero("threads"),
        alwaysVerify = alwaysVerify,
        variant = variant,
        stateFolder = stateFolder,
        hugePages = hugePages,
        kvPrecision = kvPrecision.toCore(),
    )

internal fun KvPrecision.toCore(): CoreKvPrecision =
    when (this) {
        KvPrecision.HALF -> CoreKvPrecision.HALF
        KvPrecision.INT8 -> CoreKvPrecision.INT8
    }

internal fun ContextPolicy.toCore(): CoreContextPolicy =
    when (this) {
        ContextPolicy.REFUSE -> CoreContextPolicy.REFUSE
        ContextPolicy.DROP_OLDEST -> CoreContextPolicy.DROP_OLDEST
    }

internal fun ConversationOptions.toCore(): CoreConversationOptions =
    CoreConversationOptions(
        contextLength = contextLength.atLeastZero("contextLength"),
        system = system,
        contextPolicy = contextPolicy.toCore(),
        initialMessages = initialMessages.map { it.toCore() },
    )

internal fun GenerationOptions.toCore(): CoreGenerationOptions =
    CoreGenerationOptions(
        maxTokens = maxTokens.atLeastZero("maxTokens"),
        temperature = temperature,
        topK = topK?.atLeastZero("topK"),
        topP = topP,
        minP = minP,
        repetitionPenalty = repetitionPenalty,
        repetitionWindow = repetitionWindow?.atLeastZero("repetitionWindow"),
        seed = seed?.toULong(),
        stop = stop,
        thinking = thinking,
        speculation = speculation,
        repetitionGuard = repetitionGuard,
        form = form?.toCore(),
    )

internal fun Form.toCore(): CoreForm =
    when (this) {
        is Form.Choice -> CoreForm.Choice(choices)
        is Form.JsonSchema -> CoreForm.JsonSchema(schema)
        is Form.Regex -> CoreForm.Regex(expression)
        is Form.Grammar -> CoreForm.Grammar(text)
    }

internal fun AskOptions.toCore(): CoreAskOptions =
    CoreAskOptions(
        task = task,
        privacyClass = privacyClass.toCore(),
        deadlineMs = deadline?.toCoreMs("deadline")?.toULong(),
        expiresInMs = expiresIn?.toCoreMs("expiresIn")?.toULong(),
        needs = needs.map { it.toCore() },
        fresh = fresh,
        tools = tools.toCore(),
        generation = generation.toCore(),
    )

internal fun PrivacyClass.toCore(): CorePrivacyClass =
    when (this) {
        PrivacyClass.PUBLIC -> CorePrivacyClass.PUBLIC
        PrivacyClass.PERSONAL -> CorePrivacyClass.PERSONAL
        PrivacyClass.SENSITIVE -> CorePrivacyClass.SENSITIVE
        PrivacyClass.SECRET -> CorePrivacyClass.SECRET
    }

internal fun CorePrivacyClass.toPublic(): PrivacyClass =
    when (this) {
        CorePrivacyClass.PUBLIC -> PrivacyClass.PUBLIC
        CorePrivacyClass.PERSONAL -> PrivacyClass.PERSONAL
        CorePrivacyClass.SENSITIVE -> PrivacyClass.SENSITIVE
        CorePrivacyClass.SECRET -> PrivacyClass.SECRET
    }

internal fun Need.toCore(): CoreNeed =
    when (this) {
        Need.TOOLS -> CoreNeed.TOOLS
        Need.JSON -> CoreNeed.JSON
    }

internal fun CoreCacheUse.toPublic(): CacheUse =
    CacheUse(
        answers = answers.toLong(),
        answerBytes = answerBytes.toLong(),
        savedContexts = savedContexts.toLong(),
        savedContextBytes = savedContextBytes.toLong(),
        contexts = contexts.toLong(),
        contextBytes = contextBytes.toLong(),
    )

internal fun CacheBudget.toCore(): CoreCacheBudget =
    CoreCacheBudget(
        diskBytes = diskBytes.atLeastZero("diskBytes"),
        memoryBytes = memoryBytes.atLeastZero("memoryBytes"),
    )

internal fun MemoryPressure.toCore(): CoreMemoryPressure =
    when (this) {
        MemoryPressure.NONE -> CoreMemoryPressure.NONE
        MemoryPressure.MODERATE -> CoreMemoryPressure.MODERATE
        MemoryPressure.CRITICAL -> CoreMemoryPressure.CRITICAL
    }

internal fun Role.toCore(): CoreRole =
    when (this) {
        Role.SYSTEM -> CoreRole.SYSTEM
        Role.USER -> CoreRole.USER
        Role.ASSISTANT -> CoreRole.ASSISTANT
    }

internal fun CoreRole.toPublic(): Role =
    when (this) {
        CoreRole.SYSTEM -> Role.SYSTEM
        CoreRole.USER -> Role.USER
        CoreRole.ASSISTANT -> Role.ASSISTANT
    }

internal fun Message.toCore(): CoreMessage =
    CoreMessage(
        role = role.toCore(),
        content = content,
        privacyClass = privacyClass?.toCore(),
        recipients = recipients,
        receipt = receipt?.atLeastZero("receipt"),
        interrupted = isInterrupted,
    )

internal fun CoreMessage.toPublic(): Message =
    Message(
        role = role.toPublic(),
        content = content,
        privacyClass = privacyClass?.toPublic(),
        recipients = recipients,
        receipt = receipt?.toLong(),
        isInterrupted = interrupted,
    )

internal fun CoreEvent.toPublic(): Event =
    when (this) {
        is CoreEvent.Started -> Event.Started(place.toPublic(), release?.toPublic())
        is CoreEvent.Reading -> Event.Reading(done.toInt(), total.toInt())
        is CoreEvent.Thinking -> Event.Thinking(text)
        is CoreEvent.Text -> Event.Text(text)
        CoreEvent.Restarted -> Event.Restarted
        is CoreEvent.Call -> Event.Call(call.toPublic())
        is CoreEvent.Finished -> Event.Finished(report.toPublic())
    }

internal fun ConversationSummary.toCore(): CoreConversationSummary =
    CoreConversationSummary(
        id = id,
        number = number.atLeastZero("number"),
        title = title,
        createdMs = createdMs.atLeastZero("createdMs"),
        updatedMs = updatedMs.atLeastZero("updatedMs"),
        pinned = isPinned,
        messages = messages.atLeastZero("messages"),
        bytes = bytes.atLeastZero("bytes"),
    )

internal fun CoreConversationSummary.toPublic(): ConversationSummary =
    ConversationSummary(
        id = id,
        number = number.toLong(),
        title = title,
        createdMs = createdMs.toLong(),
        updatedMs = updatedMs.toLong(),
        isPinned = pinned,
        messages = messages.toInt(),
        bytes = bytes.toLong(),
    )

internal fun CoreMessageState.toPublic(): MessageState =
    when (this) {
        CoreMessageState.COMPLETE -> MessageState.COMPLETE
        CoreMessageState.IN_PROGRESS -> MessageState.IN_PROGRESS
        CoreMessageState.INTERRUPTED -> MessageState.INTERRUPTED
        CoreMessageState.LOST -> MessageState.LOST
    }

internal fun CoreKeptMessage.toPublic(): KeptMessage =
    KeptMessage(
        role = role.toPublic(),
        content = content,
        timeMs = timeMs.toLong(),
        receipt = receipt?.toLong(),
        state = state.toPublic(),
    )

internal fun CoreKeptConversation.toPublic(): KeptConversation =
    KeptConversation(
        summary = summary.toPublic(),
        messages = messages.map { it.toPublic() },
    )

internal fun CoreSearchHit.toPublic(): SearchHit =
    SearchHit(
        conversation = conversation,
        message = message?.toInt(),
        timeMs = timeMs.toLong(),
        text = text,
        start = start.toInt(),
        end = end.toInt(),
    )

internal fun Retention.toCore(): CoreRetention =
    CoreRetention(
        updatedBeforeMs = updatedBeforeMs?.atLeastZero("updatedBeforeMs"),
        conversationsMax = conversationsMax?.atLeastZero("conversationsMax"),
    )

internal fun CoreImportedConversations.toPublic(): ImportedConversations =
    ImportedConversations(
        added = added,
        present = present.toInt(),
    )

internal fun CoreRepaired.toPublic(): Repaired =
    Repaired(
        titles = titles.toLong(),
        attributes = attributes.toLong(),
        messages = messages.toLong(),
        questions = questions.toLong(),
        answers = answers.toLong(),
    )

internal fun CoreRecovered.toPublic(): Recovered =
    Recovered(
        aside = aside,
        kept = kept.toPublic(),
        lost = lost.toPublic(),
        logPagesLost = logPagesLost.toLong(),
    )

internal fun CoreRecoveredRows.toPublic(): RecoveredRows =
    RecoveredRows(
        conversations = conversations.toLong(),
        messages = messages.toLong(),
        questions = questions.toLong(),
        answers = answers.toLong(),
        entries = entries.toLong(),
        feedback = feedback.toLong(),
    )

internal fun CoreKeyRotation.toPublic(): KeyRotation =
    KeyRotation(
        rows = rows.toLong(),
        unreadable = unreadable.toLong(),
    )

internal fun CoreQueuedQuestion.toPublic(): QueuedQuestion =
    QueuedQuestion(
        id = id.toLong(),
        conversation = conversation,
        text = text,
        task = task,
        privacyClass = privacyClass.toPublic(),
        createdMs = createdMs.toLong(),
        priority = priority.toPublic(),
        attempts = attempts.toInt(),
        retryIn = retryInMs?.toLong()?.milliseconds,
        needs = needs.toPublic(),
        state = state.toPublic(),
    )

internal fun CoreQueueNeeds.toPublic(): QueueNeeds =
    QueueNeeds(
        network = network,
        unmetered = unmetered,
        charging = charging,
    )

internal fun QueuePriority.toCore(): CoreQueuePriority =
    when (this) {
        QueuePriority.LOW -> CoreQueuePriority.LOW
        QueuePriority.NORMAL -> CoreQueuePriority.NORMAL
        QueuePriority.HIGH -> CoreQueuePriority.HIGH
    }

internal fun CoreQueuePriority.toPublic(): QueuePriority =
    when (this) {
        CoreQueuePriority.LOW -> QueuePriority.LOW
        CoreQueuePriority.NORMAL -> QueuePriority.NORMAL
        CoreQueuePriority.HIGH -> QueuePriority.HIGH
    }

internal fun CoreQueueState.toPublic(): QueueState =
    when (this) {
        CoreQueueState.Waiting -> QueueState.Waiting
        is CoreQueueState.Retrying -> QueueState.Retrying(failure.toPublic())
        is CoreQueueState.Blocked -> QueueState.Blocked(by.toLong())
        is CoreQueueState.Sending -> QueueState.Sending(decided?.toPublic())
        CoreQueueState.NeedsConfirmation -> QueueState.NeedsConfirmation
        is CoreQueueState.Stuck -> QueueState.Stuck(failure.toPublic())
        CoreQueueState.Denied -> QueueState.Denied
        is CoreQueueState.MayCost -> QueueState.MayCost(failure.toPublic())
        CoreQueueState.Answered -> QueueState.Answered
        CoreQueueState.Expired -> QueueState.Expired
        CoreQueueState.Cancelled -> QueueState.Cancelled
    }

internal fun CoreQueueFailure.toPublic(): QueueFailure =
    QueueFailure(
        code = code,
        status = status?.toInt(),
        remedy = remedy.toPublic(),
    )

internal fun CoreQueueRemedy.toPublic(): QueueRemedy =
    when (this) {
        CoreQueueRemedy.NETWORK -> QueueRemedy.NETWORK
        CoreQueueRemedy.TIME -> QueueRemedy.TIME
        CoreQueueRemedy.SETTINGS -> QueueRemedy.SETTINGS
        CoreQueueRemedy.USER -> QueueRemedy.USER
    }

internal fun CoreQueueDecision.toPublic(): QueueDecision =
    when (this) {
        CoreQueueDecision.ON_DEVICE -> QueueDecision.ON_DEVICE
        CoreQueueDecision.REDACTED -> QueueDecision.REDACTED
        CoreQueueDecision.AS_IS -> QueueDecision.AS_IS
    }

internal fun CoreOutboxEvent.toPublic(): OutboxEvent =
    when (this) {
        is CoreOutboxEvent.Changed -> OutboxEvent.Changed(id.toLong(), conversation, state.toPublic())
        is CoreOutboxEvent.Missed -> OutboxEvent.Missed(events.toLong())
    }

internal fun RunBudget.toCore(): CoreRunBudget =
    CoreRunBudget(
        attempts = attempts?.atLeastZero("attempts"),
        withinMs = within?.toCoreMs("within")?.toULong(),
    )

internal fun CoreOutboxRun.toPublic(): OutboxRun =
    OutboxRun(
        answered = answered.toInt(),
        left = left.toLong(),
        nextMs = nextMs?.toLong(),
        nextNeeds = nextNeeds.toPublic(),
    )

internal fun CoreReport.toPublic(): Report =
    Report(
        receipt = receipt?.toLong(),
        isRecorded = recorded,
        isKept = isKept,
        queued = queued?.toLong(),
        answeredBefore = answeredBefore?.toPublic(),
        calls = calls.map { it.toPublic() },
        outcome = outcome.toPublic(),
        code = code,
        isPartial = partial,
        finish = finish?.toPublic(),
        place = place?.toPublic(),
        release = release?.toPublic(),
        reasons = reasons,
        rules = rules,
        attempts = attempts,
        refused = refused.map { it.toPublic() },
        bytesOut = bytesOut.toLong(),
        bytesIn = bytesIn.toLong(),
        redacted = redacted.toInt(),
        tokensIn = tokensIn.toLong(),
        tokensOut = tokensOut.toLong(),
        thinkingBytes = thinkingBytes.toLong(),
        timeToFirstToken = firstTokenMs?.toLong()?.milliseconds,
        total = totalMs.toLong().milliseconds,
        millijoules = millijoules?.toLong(),
        statistics = statistics?.toPublic(),
        unsupported = unsupported,
        canEscalate = canEscalate,
        summary = summary,
        json = json,
    )

internal fun Outcome.toCore(): CoreOutcome =
    when (this) {
        Outcome.ANSWERED -> CoreOutcome.ANSWERED
        Outcome.CANCELLED -> CoreOutcome.CANCELLED
        Outcome.FAILED -> CoreOutcome.FAILED
        Outcome.DENIED -> CoreOutcome.DENIED
        Outcome.DEFERRED -> CoreOutcome.DEFERRED
        Outcome.INTERRUPTED -> CoreOutcome.INTERRUPTED
    }

internal fun CoreOutcome.toPublic(): Outcome =
    when (this) {
        CoreOutcome.ANSWERED -> Outcome.ANSWERED
        CoreOutcome.CANCELLED -> Outcome.CANCELLED
        CoreOutcome.FAILED -> Outcome.FAILED
        CoreOutcome.DENIED -> Outcome.DENIED
        CoreOutcome.DEFERRED -> Outcome.DEFERRED
        CoreOutcome.INTERRUPTED -> Outcome.INTERRUPTED
    }

internal fun CoreFinishReason.toPublic(): FinishReason =
    when (this) {
        CoreFinishReason.STOP -> FinishReason.STOP
        CoreFinishReason.LENGTH -> FinishReason.LENGTH
        CoreFinishReason.REPETITION -> FinishReason.REPETITION
        CoreFinishReason.CONTENT_FILTER -> FinishReason.CONTENT_FILTER
        CoreFinishReason.TOOL_CALLS -> FinishReason.TOOL_CALLS
        CoreFinishReason.CANCELLED -> FinishReason.CANCELLED
        CoreFinishReason.UNSTATED -> FinishReason.UNSTATED
    }

internal fun CorePlace.toPublic(): Place =
    when (this) {
        is CorePlace.OnDevice -> Place.OnDevice(model, variant, hash)
        is CorePlace.SystemModel -> Place.SystemModel(adapter)
        is CorePlace.Remote -> Place.Remote(endpoint, trust.toPublic(), model)
    }

internal fun PlaceKind.toCore(): CorePlaceKind =
    when (this) {
        PlaceKind.ON_DEVICE -> CorePlaceKind.ON_DEVICE
        PlaceKind.SYSTEM_MODEL -> CorePlaceKind.SYSTEM_MODEL
        PlaceKind.OWN_DEVICE -> CorePlaceKind.OWN_DEVICE
        PlaceKind.ORGANISATION -> CorePlaceKind.ORGANISATION
        PlaceKind.PUBLIC_CLOUD -> CorePlaceKind.PUBLIC_CLOUD
    }

internal fun CorePlaceKind.toPublic(): PlaceKind =
    when (this) {
        CorePlaceKind.ON_DEVICE -> PlaceKind.ON_DEVICE
        CorePlaceKind.SYSTEM_MODEL -> PlaceKind.SYSTEM_MODEL
        CorePlaceKind.OWN_DEVICE -> PlaceKind.OWN_DEVICE
        CorePlaceKind.ORGANISATION -> PlaceKind.ORGANISATION
        CorePlaceKind.PUBLIC_CLOUD -> PlaceKind.PUBLIC_CLOUD
    }

internal fun CoreTrustClass.toPublic(): TrustClass =
    when (this) {
        CoreTrustClass.OWN_DEVICE -> TrustClass.OWN_DEVICE
        CoreTrustClass.ORGANISATION -> TrustClass.ORGANISATION
        CoreTrustClass.PUBLIC_CLOUD -> TrustClass.PUBLIC_CLOUD
    }

internal fun CoreRelease.toPublic(): Release =
    when (this) {
        CoreRelease.AS_IS -> Release.AS_IS
        CoreRelease.REDACTED -> Release.REDACTED
    }

internal fun CoreRefused.toPublic(): Refused =
    Refused(
        name = name,
        reason = reason,
    )

internal fun CoreStatistics.toPublic(): Statistics =
    Statistics(
        promptTokens = promptTokens.toInt(),
        reusedTokens = reusedTokens.toInt(),
        completionTokens = completionTokens.toInt(),
        draftedTokens = draftedTokens.toInt(),
        acceptedTokens = acceptedTokens.toInt(),
        forcedTokens = forcedTokens.toInt(),
        droppedMessages = droppedMessages.toInt(),
        timeToFirstToken = timeToFirstTokenMs.milliseconds,
        total = totalMs.milliseconds,
        prefillTokensPerSecond = prefillTokensPerSecond,
        decodeTokensPerSecond = decodeTokensPerSecond,
    )

internal fun CoreDecision.toPublic(): Decision =
    when (this) {
        CoreDecision.RUN -> Decision.RUN
        CoreDecision.DEFER -> Decision.DEFER
        CoreDecision.DENIED -> Decision.DENIED
        CoreDecision.UNAVAILABLE -> Decision.UNAVAILABLE
    }

internal fun CoreAnsweredBefore.toPublic(): AnsweredBefore =
    AnsweredBefore(
        receipt = receipt.toLong(),
        age = ageMs.toLong().milliseconds,
    )

internal fun CoreExplanation.toPublic(): Explanation =
    Explanation(
        decision = decision.toPublic(),
        candidates = candidates,
        refused = refused.map { it.toPublic() },
        rules = rules,
        text = text,
        json = json,
    )

internal fun Preset.toCore(): CorePreset =
    when (this) {
        Preset.PRIVATE -> CorePreset.PRIVATE
        Preset.ON_DEVICE_FIRST -> CorePreset.ON_DEVICE_FIRST
        Preset.BALANCED -> CorePreset.BALANCED
        Preset.QUALITY_FIRST -> CorePreset.QUALITY_FIRST
    }

internal fun PolicyDocument.toCore(): CorePolicyDocument =
    when (this) {
        is PolicyDocument.Toml -> CorePolicyDocument.Toml(text)
        is PolicyDocument.Json -> CorePolicyDocument.Json(text)
        is PolicyDocument.OfPreset -> CorePolicyDocument.Preset(preset.toCore(), endpoints)
    }

internal fun Pins.toCore(): CorePins =
    CorePins(
        sha256 = sha256,
        expiresUnixS = expiresUnixSeconds.atLeastZero("expiresUnixSeconds"),
        reportOnly = isReportOnly,
    )

internal fun Timeouts.toCore(): CoreTimeouts =
    CoreTimeouts(
        connectMs = connect.toCoreMs("connect"),
        firstByteMs = firstByte.toCoreMs("firstByte"),
        idleMs = idle.toCoreMs("idle"),
        totalMs = total.toCoreMs("total"),
    )

internal fun TokenLimitField.toCore(): CoreTokenLimitField =
    when (this) {
        TokenLimitField.MAX_TOKENS -> CoreTokenLimitField.MAX_TOKENS
        TokenLimitField.MAX_COMPLETION_TOKENS -> CoreTokenLimitField.MAX_COMPLETION_TOKENS
    }

internal fun EndpointExtras.toCore(): CoreEndpointExtras =
    CoreEndpointExtras(
        authoritiesPem = authoritiesPem,
        pins = pins?.toCore(),
        timeouts = timeouts?.toCore(),
        keyHeader = keyHeader,
        tokenLimitField = tokenLimitField.toCore(),
    )

internal fun LearningMode.toCore(): CoreLearningMode =
    when (this) {
        LearningMode.ON -> CoreLearningMode.ON
        LearningMode.FROZEN -> CoreLearningMode.FROZEN
        LearningMode.OFF -> CoreLearningMode.OFF
    }

internal fun CoreLearningMode.toPublic(): LearningMode =
    when (this) {
        CoreLearningMode.ON -> LearningMode.ON
        CoreLearningMode.FROZEN -> LearningMode.FROZEN
        CoreLearningMode.OFF -> LearningMode.OFF
    }

internal fun Signal.toCore(): CoreSignal =
    when (this) {
        Signal.ThumbsUp -> CoreSignal.ThumbsUp
        Signal.ThumbsDown -> CoreSignal.ThumbsDown
        Signal.Regenerated -> CoreSignal.Regenerated
        Signal.Aborted -> CoreSignal.Aborted
        is Signal.Kept -> CoreSignal.Kept(editedPermille.atLeastZero("editedPermille"))
        Signal.SchemaFailed -> CoreSignal.SchemaFailed
        Signal.EscalationAccepted -> CoreSignal.EscalationAccepted
    }

internal fun Thermal.toCore(): CoreThermal =
    when (this) {
        Thermal.NOMINAL -> CoreThermal.NOMINAL
        Thermal.FAIR -> CoreThermal.FAIR
        Thermal.SERIOUS -> CoreThermal.SERIOUS
        Thermal.CRITICAL -> CoreThermal.CRITICAL
    }

internal fun CoreThermal.toPublic(): Thermal =
    when (this) {
        CoreThermal.NOMINAL -> Thermal.NOMINAL
        CoreThermal.FAIR -> Thermal.FAIR
        CoreThermal.SERIOUS -> Thermal.SERIOUS
        CoreThermal.CRITICAL -> Thermal.CRITICAL
    }

internal fun Network.toCore(): CoreNetwork =
    when (this) {
        Network.OFFLINE -> CoreNetwork.OFFLINE
        Network.METERED -> CoreNetwork.METERED
        Network.UNMETERED -> CoreNetwork.UNMETERED
        Network.ROAMING -> CoreNetwork.ROAMING
    }

internal fun Accelerator.toCore(): CoreAccelerator =
    when (this) {
        Accelerator.GPU -> CoreAccelerator.GPU
        Accelerator.NPU -> CoreAccelerator.NPU
        Accelerator.DSP -> CoreAccelerator.DSP
    }

internal fun DeviceFact.toCore(): CoreDeviceFact =
    when (this) {
        DeviceFact.BATTERY_PERCENT -> CoreDeviceFact.BATTERY_PERCENT
        DeviceFact.CHARGING -> CoreDeviceFact.CHARGING
        DeviceFact.BATTERY_MILLIWATTS -> CoreDeviceFact.BATTERY_MILLIWATTS
        DeviceFact.POWER_SAVE -> CoreDeviceFact.POWER_SAVE
        DeviceFact.THERMAL -> CoreDeviceFact.THERMAL
        DeviceFact.MEMORY_TOTAL_BYTES -> CoreDeviceFact.MEMORY_TOTAL_BYTES
        DeviceFact.MEMORY_AVAILABLE_BYTES -> CoreDeviceFact.MEMORY_AVAILABLE_BYTES
        DeviceFact.MEMORY_PROCESS_BYTES -> CoreDeviceFact.MEMORY_PROCESS_BYTES
        DeviceFact.STORAGE_FREE_BYTES -> CoreDeviceFact.STORAGE_FREE_BYTES
        DeviceFact.NETWORK -> CoreDeviceFact.NETWORK
        DeviceFact.ROUND_TRIP_MS -> CoreDeviceFact.ROUND_TRIP_MS
        DeviceFact.LOSS_PERCENT -> CoreDeviceFact.LOSS_PERCENT
        DeviceFact.PERFORMANCE_CORES -> CoreDeviceFact.PERFORMANCE_CORES
        DeviceFact.ACCELERATORS -> CoreDeviceFact.ACCELERATORS
        DeviceFact.FOREGROUND -> CoreDeviceFact.FOREGROUND
    }

internal fun DeviceUpdate.toCore(): CoreDeviceUpdate =
    CoreDeviceUpdate(
        batteryPercent = batteryPercent?.percent("batteryPercent"),
        charging = charging,
        batteryMilliwatts = batteryMilliwatts?.atLeastZero("batteryMilliwatts"),
        powerSave = powerSave,
        thermal = thermal?.toCore(),
        memoryTotalBytes = memoryTotalBytes?.atLeastZero("memoryTotalBytes"),
        memoryAvailableBytes = memoryAvailableBytes?.atLeastZero("memoryAvailableBytes"),
        memoryProcessBytes = memoryProcessBytes?.atLeastZero("memoryProcessBytes"),
        storageFreeBytes = storageFreeBytes?.atLeastZero("storageFreeBytes"),
        network = network?.toCore(),
        roundTripMs = roundTrip?.toCoreMs("roundTrip"),
        lossPercent = lossPercent?.percent("lossPercent"),
        performanceCores = performanceCores?.atLeastZero("performanceCores"),
        accelerators = accelerators?.map { it.toCore() },
        foreground = foreground,
        unknown = unknown.map { it.toCore() },
    )

internal fun ReceiptFilter.toCore(): CoreReceiptFilter =
    CoreReceiptFilter(
        before = before?.atLeastZero("before"),
        fromMs = fromMs?.atLeastZero("fromMs"),
        untilMs = untilMs?.atLeastZero("untilMs"),
        outcome = outcome?.toCore(),
        place = place?.toCore(),
    )

internal fun CoreReceipt.toPublic(): Receipt =
    Receipt(
        id = id.toLong(),
        openedMs = openedMs.toLong(),
        closedMs = closedMs?.toLong(),
        outcome = outcome?.toPublic(),
        place = place?.toPublic(),
        task = task,
        privacyClass = privacyClass.toPublic(),
        rules = rules,
        findings = findings.toPublic(),
        redacted = redacted.toPublic(),
        repeated = repeated.toPublic(),
        bytesOut = bytesOut.toLong(),
        bytesOutUncertain = bytesOutUncertain.toLong(),
        bytesIn = bytesIn.toLong(),
        answeredBefore = answeredBefore?.toLong(),
        json = json,
    )

internal fun CoreLedgerReport.toPublic(): LedgerReport =
    LedgerReport(
        isIntact = intact,
        entries = entries.toLong(),
        receipts = receipts.toLong(),
        problems = problems,
        json = json,
    )

internal fun Host.toCore(): CoreHost =
    when (this) {
        Host.PHONE -> CoreHost.PHONE
        Host.TABLET -> CoreHost.TABLET
        Host.COMPUTER -> CoreHost.COMPUTER
    }

internal fun CoreLedgerStats.toPublic(): LedgerStats =
    LedgerStats(
        receipts = receipts.toLong(),
        answersGivenAgain = answersGivenAgain.toLong(),
        unfinished = unfinished.toLong(),
        bytesOut = bytesOut.toLong(),
        bytesOutUncertain = bytesOutUncertain.toLong(),
        bytesIn = bytesIn.toLong(),
        personalAsIs = personalAsIs.toLong(),
        redacted = redacted.toPublic(),
        tokensIn = tokensIn.toLong(),
        tokensOut = tokensOut.toLong(),
        millijoules = millijoules.toLong(),
        summary = summary,
        answers =
            present(
                PlaceKind.ON_DEVICE to answersOnDevice,
                PlaceKind.SYSTEM_MODEL to answersSystemModel,
                PlaceKind.OWN_DEVICE to answersOwnDevice,
                PlaceKind.ORGANISATION to answersOrganisation,
                PlaceKind.PUBLIC_CLOUD to answersPublicCloud,
            ),
        ends =
            present(
                Outcome.CANCELLED to cancelled,
                Outcome.FAILED to failed,
                Outcome.DENIED to denied,
                Outcome.DEFERRED to deferred,
                Outcome.INTERRUPTED to interrupted,
            ),
    )

internal fun Prune.toCore(): CorePrune =
    CorePrune(
        openedBeforeMs = openedBeforeMs?.atLeastZero("openedBeforeMs"),
        receiptsMax = receiptsMax?.atLeastZero("receiptsMax"),
    )

internal fun CoreCheckpoint.toPublic(): Checkpoint =
    Checkpoint(
        sequence = sequence.toLong(),
        receipts = receipts.toLong(),
        hash = hash,
        timeMs = timeMs.toLong(),
    )

internal fun CorePerformance.toPublic(): Performance =
    Performance(
        beginsMs = beginsMs.toLong(),
        throughMs = throughMs.toLong(),
        outcomes = outcomes.toPublic(),
        series = series.map { it.toPublic() },
        days = days.map { it.toPublic() },
        regressions = regressions.map { it.toPublic() },
        failures = failures.map { it.toPublic() },
        energy = energy.map { it.toPublic() },
        endings = endings.map { it.toPublic() },
        json = json,
    )

internal fun CoreRequestOutcomes.toPublic(): RequestOutcomes =
    RequestOutcomes(
        answered = answered.toLong(),
        givenAgain = givenAgain.toLong(),
        cancelled = cancelled.toLong(),
        failed = failed.toLong(),
        denied = denied.toLong(),
        deferred = deferred.toLong(),
        interrupted = interrupted.toLong(),
    )

internal fun CorePerformanceSeries.toPublic(): PerformanceSeries =
    PerformanceSeries(
        place = place?.toPublic(),
        model = model,
        variant = variant,
        task = task,
        device = device?.toPublic(),
        outcomes = outcomes.toPublic(),
        bytesOut = bytesOut.toLong(),
        bytesIn = bytesIn.toLong(),
        memoryBytesMax = memoryBytesMax.toLong(),
        measures = measures.map { it.toPublic() },
    )

internal fun CoreDeviceClass.toPublic(): DeviceClass =
    when (this) {
        CoreDeviceClass.SMALL -> DeviceClass.SMALL
        CoreDeviceClass.MEDIUM -> DeviceClass.MEDIUM
        CoreDeviceClass.LARGE -> DeviceClass.LARGE
    }

internal fun CoreMeasure.toPublic(): Measure =
    when (this) {
        CoreMeasure.TOTAL -> Measure.TOTAL
        CoreMeasure.FIRST_TOKEN -> Measure.FIRST_TOKEN
        CoreMeasure.EXAMINE -> Measure.EXAMINE
        CoreMeasure.DECIDE -> Measure.DECIDE
        CoreMeasure.LOAD -> Measure.LOAD
        CoreMeasure.PREFILL_TOKEN -> Measure.PREFILL_TOKEN
        CoreMeasure.DECODE_TOKEN -> Measure.DECODE_TOKEN
        CoreMeasure.NETWORK -> Measure.NETWORK
        CoreMeasure.PROCESSOR -> Measure.PROCESSOR
        CoreMeasure.INPUT_TOKENS -> Measure.INPUT_TOKENS
        CoreMeasure.OUTPUT_TOKENS -> Measure.OUTPUT_TOKENS
        CoreMeasure.ENERGY -> Measure.ENERGY
    }

internal fun CoreMeasuredValues.toPublic(): MeasuredValues =
    MeasuredValues(
        measure = measure.toPublic(),
        count = count.toLong(),
        sum = sum.toLong(),
        min = min.toLong(),
        max = max.toLong(),
        median = median,
        p95 = p95,
        bounds = bounds.map { it.toLong() },
        counts = counts.map { it.toInt() },
    )

internal fun CorePerformanceDay.toPublic(): PerformanceDay =
    PerformanceDay(
        beginsMs = beginsMs.toLong(),
        outcomes = outcomes.toPublic(),
        answeredHere = answeredHere.toLong(),
        answeredElsewhere = answeredElsewhere.toLong(),
        bytesOut = bytesOut.toLong(),
        outputTokens = outputTokens.toLong(),
        millijoules = millijoules.toLong(),
        medianFirstToken = medianFirstTokenMs?.toLong()?.milliseconds,
        decodeTokensPerSecond = decodeTokensPerSecond,
        batteryPercentPerHour = batteryPercentPerHour,
        thermalMax = thermalMax?.toPublic(),
    )

internal fun CoreRegressionKind.toPublic(): RegressionKind =
    when (this) {
        CoreRegressionKind.SLOWER -> RegressionKind.SLOWER
        CoreRegressionKind.WORSE -> RegressionKind.WORSE
        CoreRegressionKind.REJECTED -> RegressionKind.REJECTED
    }

internal fun CoreRegression.toPublic(): Regression =
    Regression(
        model = model,
        variant = variant,
        kind = kind.toPublic(),
        sinceMs = sinceMs.toLong(),
        foundMs = foundMs.toLong(),
        before = before,
        after = after,
    )

internal fun CoreFailureCount.toPublic(): FailureCount =
    FailureCount(
        code = code,
        count = count.toLong(),
    )

internal fun CoreRequestStage.toPublic(): RequestStage =
    when (this) {
        CoreRequestStage.DECIDE -> RequestStage.DECIDE
        CoreRequestStage.LOAD -> RequestStage.LOAD
        CoreRequestStage.PREFILL -> RequestStage.PREFILL
        CoreRequestStage.DECODE -> RequestStage.DECODE
        CoreRequestStage.NETWORK -> RequestStage.NETWORK
        CoreRequestStage.RECEIVE -> RequestStage.RECEIVE
        CoreRequestStage.TOOL -> RequestStage.TOOL
    }

internal fun CoreRequestEnding.toPublic(): RequestEnding =
    RequestEnding(
        stage = stage.toPublic(),
        progressMs = progressMs.toLong(),
        aliveMs = aliveMs.toLong(),
        isStuck = stuck,
    )

internal fun CoreEndingCount.toPublic(): EndingCount =
    EndingCount(
        stage = stage.toPublic(),
        times = times.toLong(),
        stuck = stuck.toLong(),
    )

internal fun CoreEnergyTotal.toPublic(): EnergyTotal =
    EnergyTotal(
        method = method,
        millijoules = millijoules.toLong(),
    )

internal fun CoreFinding.toPublic(): Finding =
    Finding(
        kind = kind,
        start = start.toInt(),
        end = end.toInt(),
        confidence = confidence,
        placeholder = placeholder,
    )

internal fun CoreGuess.toPublic(): Guess =
    Guess(
        kind = kind,
        start = start.toInt(),
        end = end.toInt(),
    )

internal fun CoreRedactedText.toPublic(): RedactedText =
    RedactedText(
        text = text,
        findings = findings.map { it.toPublic() },
        guesses = guesses.map { it.toPublic() },
    )

internal fun Availability.toCore(): CoreAvailability =
    when (this) {
        Availability.AVAILABLE -> CoreAvailability.AVAILABLE
        Availability.BUSY -> CoreAvailability.BUSY
        Availability.DOWNLOADING -> CoreAvailability.DOWNLOADING
        Availability.UNAVAILABLE -> CoreAvailability.UNAVAILABLE
    }

internal fun SystemCapabilities.toCore(): CoreSystemCapabilities =
    CoreSystemCapabilities(
        model = model,
        availability = availability.toCore(),
        supports = supports.map { it.toCore() },
        contextTokens = contextTokens?.atLeastZero("contextTokens"),
        firstTokenMs = timeToFirstToken?.toCoreMs("timeToFirstToken"),
        tokensPerS = tokensPerSecond,
    )

internal fun SystemFailure.toCore(): CoreSystemFailure =
    when (this) {
        SystemFailure.BUSY -> CoreSystemFailure.BUSY
        SystemFailure.QUOTA_EXCEEDED -> CoreSystemFailure.QUOTA_EXCEEDED
        SystemFailure.DECLINED -> CoreSystemFailure.DECLINED
        SystemFailure.OUT_OF_MEMORY -> CoreSystemFailure.OUT_OF_MEMORY
        SystemFailure.UNAVAILABLE -> CoreSystemFailure.UNAVAILABLE
        SystemFailure.FAILED -> CoreSystemFailure.FAILED
    }

internal fun CoreModelInfo.toPublic(): ModelInfo =
    ModelInfo(
        name = name,
        version = version,
        licence = licence,
        contextLength = contextLength.toInt(),
        layers = layers.toInt(),
        threads = threads.toInt(),
        loadTime = loadMs.milliseconds,
        hasChatTemplate = hasChatTemplate,
        canThink = canThink,
        languages = languages,
        limits = limits,
    )

internal fun CoreImportPhase.toPublic(): ImportPhase =
    when (this) {
        CoreImportPhase.HASHING -> ImportPhase.HASHING
        CoreImportPhase.WAITING -> ImportPhase.WAITING
        CoreImportPhase.WRITING -> ImportPhase.WRITING
    }

internal fun CoreImportEvent.toPublic(): ImportEvent =
    when (this) {
        is CoreImportEvent.Progress -> ImportEvent.Progress(phase.toPublic(), done.toLong(), total.toLong())
        is CoreImportEvent.Notice -> ImportEvent.Notice(text)
        is CoreImportEvent.Finished -> ImportEvent.Finished(path)
    }

internal fun CoreTaskNeeds.toPublic(): TaskNeeds =
    when (this) {
        CoreTaskNeeds.NOTHING -> TaskNeeds.NOTHING
        CoreTaskNeeds.CHOICES -> TaskNeeds.CHOICES
        CoreTaskNeeds.SCHEMA -> TaskNeeds.SCHEMA
    }

internal fun CoreTaskInfo.toPublic(): TaskInfo =
    TaskInfo(
        name = name,
        description = description,
        languages = languages,
        needs = needs.toPublic(),
        textBytesMax = textBytesMax.toInt(),
    )

internal fun TaskOptions.toCore(): CoreTaskOptions =
    CoreTaskOptions(
        privacyClass = privacyClass.toCore(),
        deadlineMs = deadline?.toCoreMs("deadline")?.toULong(),
        fresh = fresh,
    )

internal fun TelemetrySignals.toCore(): CoreTelemetrySignals =
    CoreTelemetrySignals(
        metrics = metrics,
        traces = traces,
    )

internal fun CoreTelemetrySignals.toPublic(): TelemetrySignals =
    TelemetrySignals(
        metrics = metrics,
        traces = traces,
    )

internal fun CoreTelemetryTarget.toPublic(): TelemetryTarget =
    TelemetryTarget(
        url = url,
        service = service,
        trust = trust.toPublic(),
        signals = signals.toPublic(),
        bytesADay = bytesADay.toLong(),
        connectionsADay = connectionsADay.toInt(),
        isMeteredAllowed = metered,
    )

internal fun CoreTelemetryConsent.toPublic(): TelemetryConsent =
    TelemetryConsent(
        url = url,
        service = service,
        signals = signals.toPublic(),
        givenMs = givenMs.toLong(),
    )

internal fun CoreTelemetryStatus.toPublic(): TelemetryStatus =
    TelemetryStatus(
        target = target?.toPublic(),
        consent = consent?.toPublic(),
        signals = signals.toPublic(),
        bytesToday = bytesToday.toLong(),
        connectionsToday = connectionsToday.toInt(),
        waiting = waiting.toLong(),
        dropped = dropped.toLong(),
        rejected = rejected.toLong(),
        json = json,
    )

internal fun CoreTelemetryRun.toPublic(): TelemetryRun =
    TelemetryRun(
        bytesOut = bytesOut.toLong(),
        metrics = metrics,
        requests = requests.toLong(),
        rejected = rejected.toLong(),
        because = because,
        nextMs = nextMs?.toLong(),
    )

internal fun Tool.toCore(): CoreTool =
    CoreTool(
        name = name,
        description = description,
        parameters = parameters,
        permission = permission.toCore(),
        resultClass = resultClass.toCore(),
    )

internal fun ToolPermission.toCore(): CoreToolPermission =
    when (this) {
        ToolPermission.ALWAYS -> CoreToolPermission.ALWAYS
        ToolPermission.CONFIRM -> CoreToolPermission.CONFIRM
        ToolPermission.NEVER -> CoreToolPermission.NEVER
    }

internal fun ToolChoice.toCore(): CoreToolChoice =
    when (this) {
        ToolChoice.AUTO -> CoreToolChoice.AUTO
        ToolChoice.NONE -> CoreToolChoice.NONE
        ToolChoice.REQUIRED -> CoreToolChoice.REQUIRED
    }

internal fun ToolOptions.toCore(): CoreToolOptions =
    CoreToolOptions(
        tools = tools.map { it.toCore() },
        choice = choice.toCore(),
        callsMax = callsMax.atLeastZero("callsMax"),
        resultMsMax = resultTimeMax.toCoreMs("resultTimeMax").toULong(),
    )

internal fun CorePendingCall.toPublic(): PendingCall =
    PendingCall(
        id = id.toInt(),
        name = name,
        arguments = arguments,
        mustConfirm = mustConfirm,
    )

internal fun ToolResult.toCore(): CoreToolResult =
    when (this) {
        is ToolResult.Done -> CoreToolResult.Done(text)
        is ToolResult.Failed -> CoreToolResult.Failed(reason)
        ToolResult.Refused -> CoreToolResult.Refused
    }

internal fun CoreCallReport.toPublic(): CallReport =
    CallReport(
        name = name,
        end = end.toPublic(),
        receipt = receipt?.toLong(),
    )

internal fun CoreCallEnd.toPublic(): CallEnd =
    when (this) {
        CoreCallEnd.DONE -> CallEnd.DONE
        CoreCallEnd.FAILED -> CallEnd.FAILED
        CoreCallEnd.REFUSED -> CallEnd.REFUSED
        CoreCallEnd.NOT_ALLOWED -> CallEnd.NOT_ALLOWED
        CoreCallEnd.TIMED_OUT -> CallEnd.TIMED_OUT
        CoreCallEnd.TOO_MANY -> CallEnd.TOO_MANY
        CoreCallEnd.DROPPED -> CallEnd.DROPPED
    }

internal fun VaultLevel.toCore(): CoreVaultLevel =
    when (this) {
        VaultLevel.MEMORY -> CoreVaultLevel.MEMORY
        VaultLevel.FILE -> CoreVaultLevel.FILE
        VaultLevel.SOFTWARE -> CoreVaultLevel.SOFTWARE
        VaultLevel.HARDWARE -> CoreVaultLevel.HARDWARE
    }

internal fun LogLevel.toCore(): CoreLogLevel =
    when (this) {
        LogLevel.OFF -> CoreLogLevel.OFF
        LogLevel.ERROR -> CoreLogLevel.ERROR
        LogLevel.WARN -> CoreLogLevel.WARN
        LogLevel.INFO -> CoreLogLevel.INFO
        LogLevel.DEBUG -> CoreLogLevel.DEBUG
        LogLevel.TRACE -> CoreLogLevel.TRACE
    }

internal fun CoreLogLevel.toPublic(): LogLevel =
    when (this) {
        CoreLogLevel.OFF -> LogLevel.OFF
        CoreLogLevel.ERROR -> LogLevel.ERROR
        CoreLogLevel.WARN -> LogLevel.WARN
        CoreLogLevel.INFO -> LogLevel.INFO
        CoreLogLevel.DEBUG -> LogLevel.DEBUG
        CoreLogLevel.TRACE -> LogLevel.TRACE
    }
