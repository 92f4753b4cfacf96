package org.whimbrel

import org.whimbrel.ffi.CoreException
import org.whimbrel.ffi.InternalException
import kotlin.time.Duration.Companion.milliseconds
import org.whimbrel.ffi.AnswerEvent as CoreAnswerEvent
import org.whimbrel.ffi.ContextPolicy as CoreContextPolicy
import org.whimbrel.ffi.ConversationOptions as CoreConversationOptions
import org.whimbrel.ffi.FinishReason as CoreFinishReason
import org.whimbrel.ffi.GenerationOptions as CoreGenerationOptions
import org.whimbrel.ffi.KvPrecision as CoreKvPrecision
import org.whimbrel.ffi.Message as CoreMessage
import org.whimbrel.ffi.ModelInfo as CoreModelInfo
import org.whimbrel.ffi.OpenOptions as CoreOpenOptions
import org.whimbrel.ffi.Role as CoreRole
import org.whimbrel.ffi.Statistics as CoreStatistics

/** Runs a call into the core and gives its exceptions their public form. */
internal inline fun <T> translated(call: () -> T): T =
    try {
        call()
    } catch (error: CoreException) {
        throw error.toPublic()
    } catch (error: InternalException) {
        throw WhimbrelException.Internal(0, "the call failed", error)
    }

internal fun CoreException.toPublic(): WhimbrelException =
    when (this) {
        is CoreException.BundleMissing -> WhimbrelException.BundleMissing(reason, this)
        is CoreException.BundleCorrupt -> WhimbrelException.BundleCorrupt(reason, this)
        is CoreException.UnsupportedBundle -> WhimbrelException.UnsupportedBundle(reason, this)
        is CoreException.ContextFull -> WhimbrelException.ContextFull(needed.toLong(), limit.toLong(), this)
        is CoreException.InvalidOption -> WhimbrelException.InvalidOption(option, expected, found, this)
        is CoreException.Closed -> WhimbrelException.Closed(what, this)
        is CoreException.Busy -> WhimbrelException.Busy(this)
        is CoreException.NothingToRepeat -> WhimbrelException.NothingToRepeat(this)
        is CoreException.Policy -> WhimbrelException.Policy(line.toInt(), column.toInt(), path, reason, this)
        is CoreException.Ledger -> WhimbrelException.Ledger(problem, reason, this)
        is CoreException.Vault -> WhimbrelException.Vault(reason, locked, this)
        is CoreException.LimitExceeded -> WhimbrelException.LimitExceeded(what, limit.toLong(), found.toLong(), this)
        is CoreException.OutOfMemory -> WhimbrelException.OutOfMemory(contextLength.toInt(), bytes.toLong(), this)
        is CoreException.Internal -> WhimbrelException.Internal(code.toInt(), reason, this)
    }

/** The core counts without a sign. */
internal fun Int.atLeastZero(option: String): UInt =
    if (this >= 0) toUInt() else throw WhimbrelException.InvalidOption(option, "0 or more", toString(), null)

internal fun OpenOptions.toCore(): CoreOpenOptions =
    CoreOpenOptions(
        threads = threads.atLeastZero("threads"),
        alwaysVerify = alwaysVerify,
        variant = variant,
        stateFolder = stateFolder,
        hugePages = hugePages,
        kvPrecision =
            when (kvPrecision) {
                KvPrecision.HALF -> CoreKvPrecision.HALF
                KvPrecision.INT8 -> CoreKvPrecision.INT8
            },
    )

internal fun ConversationOptions.toCore(): CoreConversationOptions =
    CoreConversationOptions(
        contextLength = contextLength.atLeastZero("contextLength"),
        system = system,
        contextPolicy =
            when (contextPolicy) {
                ContextPolicy.REFUSE -> CoreContextPolicy.REFUSE
                ContextPolicy.DROP_OLDEST -> CoreContextPolicy.DROP_OLDEST
            },
    )

internal fun GenerationOptions.toCore(): CoreGenerationOptions =
    CoreGenerationOptions(
        maxTokens = maxTokens.atLeastZero("maxTokens"),
        temperature = temperature,
        topK = topK.atLeastZero("topK"),
        topP = topP,
        minP = minP,
        repetitionPenalty = repetitionPenalty,
        repetitionWindow = repetitionWindow.atLeastZero("repetitionWindow"),
        seed = seed.toULong(),
        stop = stop,
        speculation = speculation,
    )

internal fun Message.toCore(): CoreMessage =
    CoreMessage(
        role =
            when (role) {
                Role.SYSTEM -> CoreRole.SYSTEM
                Role.USER -> CoreRole.USER
                Role.ASSISTANT -> CoreRole.ASSISTANT
            },
        content = content,
    )

internal fun CoreMessage.toPublic(): Message =
    Message(
        role =
            when (role) {
                CoreRole.SYSTEM -> Role.SYSTEM
                CoreRole.USER -> Role.USER
                CoreRole.ASSISTANT -> Role.ASSISTANT
            },
        content = content,
    )

internal fun CoreModelInfo.toPublic(): ModelInfo =
    ModelInfo(
        name = name,
        version = version,
        licence = licence,
        contextLength = contextLength.toInt(),
        layers = layers.toInt(),
        threads = threads.toInt(),
        loadMs = loadMs,
        hasChatTemplate = hasChatTemplate,
    )

internal fun CoreAnswerEvent.toPublic(): AnswerEvent =
    when (this) {
        is CoreAnswerEvent.Prefilled -> AnswerEvent.Prefilled(done.toInt(), total.toInt())
        is CoreAnswerEvent.Text -> AnswerEvent.Text(text)
        is CoreAnswerEvent.Finished -> AnswerEvent.Finished(statistics.toPublic())
    }

private fun CoreStatistics.toPublic(): Statistics =
    Statistics(
        finishReason =
            when (finishReason) {
                CoreFinishReason.STOP -> FinishReason.STOP
                CoreFinishReason.LENGTH -> FinishReason.LENGTH
                CoreFinishReason.CANCELLED -> FinishReason.CANCELLED
            },
        promptTokens = promptTokens.toInt(),
        reusedTokens = reusedTokens.toInt(),
        completionTokens = completionTokens.toInt(),
        draftedTokens = draftedTokens.toInt(),
        acceptedTokens = acceptedTokens.toInt(),
        droppedMessages = droppedMessages.toInt(),
        timeToFirstToken = timeToFirstTokenMs.milliseconds,
        total = totalMs.milliseconds,
        prefillTokensPerSecond = prefillTokensPerSecond,
        decodeTokensPerSecond = decodeTokensPerSecond,
    )
