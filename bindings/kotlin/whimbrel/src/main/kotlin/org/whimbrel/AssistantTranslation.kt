package org.whimbrel

import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds
import org.whimbrel.ffi.AskOptions as CoreAskOptions
import org.whimbrel.ffi.AssistantEvent as CoreAssistantEvent
import org.whimbrel.ffi.DeviceUpdate as CoreDeviceUpdate
import org.whimbrel.ffi.EndpointExtras as CoreEndpointExtras
import org.whimbrel.ffi.Explanation as CoreExplanation
import org.whimbrel.ffi.FindingCount as CoreFindingCount
import org.whimbrel.ffi.LedgerReport as CoreLedgerReport
import org.whimbrel.ffi.LedgerStats as CoreLedgerStats
import org.whimbrel.ffi.Pins as CorePins
import org.whimbrel.ffi.Place as CorePlace
import org.whimbrel.ffi.PolicyDocument as CorePolicyDocument
import org.whimbrel.ffi.Receipt as CoreReceipt
import org.whimbrel.ffi.ReceiptFilter as CoreReceiptFilter
import org.whimbrel.ffi.RedactedText as CoreRedactedText
import org.whimbrel.ffi.Refused as CoreRefused
import org.whimbrel.ffi.Report as CoreReport
import org.whimbrel.ffi.Signal as CoreSignal
import org.whimbrel.ffi.SystemCapabilities as CoreSystemCapabilities
import org.whimbrel.ffi.SystemRequest as CoreSystemRequest
import org.whimbrel.ffi.Timeouts as CoreTimeouts

/** The core's enums and ours have the same names, which a test holds them to. */
internal inline fun <reified T : Enum<T>> Enum<*>.named(): T = enumValueOf(name)

/** The core counts without a sign. */
private fun Long.atLeastZero(option: String): ULong =
    if (this >= 0) toULong() else throw WhimbrelException.InvalidOption(option, "0 or more", toString(), null)

private fun Int.percent(option: String): UByte =
    if (this in 0..100) toUByte() else throw WhimbrelException.InvalidOption(option, "0 to 100", toString(), null)

private fun Duration.toCoreMs(option: String): UInt =
    inWholeMilliseconds
        .takeIf { it in 0..UInt.MAX_VALUE.toLong() }
        ?.toUInt()
        ?: throw WhimbrelException.InvalidOption(option, "0 to ${UInt.MAX_VALUE} milliseconds", toString(), null)

internal fun PolicyDocument.toCore(): CorePolicyDocument =
    when (this) {
        is PolicyDocument.Toml -> CorePolicyDocument.Toml(text)
        is PolicyDocument.Json -> CorePolicyDocument.Json(text)
        is PolicyDocument.OfPreset -> CorePolicyDocument.Preset(preset.named(), endpoints)
    }

internal fun EndpointExtras.toCore(): CoreEndpointExtras =
    CoreEndpointExtras(
        authoritiesPem = authoritiesPem,
        pins = pins?.run { CorePins(sha256, expiresUnixSeconds.atLeastZero("expiresUnixSeconds"), isReportOnly) },
        timeouts =
            timeouts?.run {
                CoreTimeouts(
                    connectMs = connect.toCoreMs("connect"),
                    firstByteMs = firstByte.toCoreMs("firstByte"),
                    idleMs = idle.toCoreMs("idle"),
                    totalMs = total.toCoreMs("total"),
                )
            },
        keyHeader = keyHeader,
        tokenLimitField = tokenLimitField.named(),
    )

internal fun Signal.toCore(): CoreSignal =
    when (this) {
        is Signal.ThumbsUp -> CoreSignal.ThumbsUp
        is Signal.ThumbsDown -> CoreSignal.ThumbsDown
        is Signal.Regenerated -> CoreSignal.Regenerated
        is Signal.Aborted -> CoreSignal.Aborted
        is Signal.Kept -> CoreSignal.Kept(editedPermille.atLeastZero("editedPermille"))
        is Signal.SchemaFailed -> CoreSignal.SchemaFailed
    }

internal fun DeviceUpdate.toCore(): CoreDeviceUpdate =
    CoreDeviceUpdate(
        batteryPercent = batteryPercent?.percent("batteryPercent"),
        charging = charging,
        powerSave = powerSave,
        thermal = thermal?.named(),
        memoryTotalBytes = memoryTotalBytes?.atLeastZero("memoryTotalBytes"),
        memoryAvailableBytes = memoryAvailableBytes?.atLeastZero("memoryAvailableBytes"),
        memoryProcessBytes = memoryProcessBytes?.atLeastZero("memoryProcessBytes"),
        storageFreeBytes = storageFreeBytes?.atLeastZero("storageFreeBytes"),
        network = network?.named(),
        roundTripMs = roundTrip?.toCoreMs("roundTrip"),
        lossPercent = lossPercent?.percent("lossPercent"),
        performanceCores = performanceCores?.atLeastZero("performanceCores"),
        accelerators = accelerators?.map { it.named() },
        foreground = foreground,
        unknown = unknown.map { it.named() },
    )

internal fun AskOptions.toCore(): CoreAskOptions =
    CoreAskOptions(
        task = task,
        privacyClass = privacyClass.named(),
        deadlineMs = deadline?.toCoreMs("deadline")?.toULong(),
        needs = needs.map { it.named() },
        generation = generation.toCore(),
    )

internal fun ReceiptFilter.toCore(): CoreReceiptFilter =
    CoreReceiptFilter(
        before = before?.atLeastZero("before"),
        fromMs = fromMs?.atLeastZero("fromMs"),
        untilMs = untilMs?.atLeastZero("untilMs"),
        outcome = outcome?.named(),
        place = place?.named(),
    )

internal fun SystemCapabilities.toCore(): CoreSystemCapabilities =
    CoreSystemCapabilities(
        model = model,
        availability = availability.named(),
        supports = supports.map { it.named() },
        contextTokens = contextTokens?.atLeastZero("contextTokens"),
        firstTokenMs = firstTokenMs?.atLeastZero("firstTokenMs"),
        tokensPerS = tokensPerSecond,
    )

internal fun CoreSystemRequest.toPublic(): SystemRequest =
    SystemRequest(messages.map { it.toPublic() }, maxTokens.toInt(), temperature)

internal fun CorePlace.toPublic(): Place =
    when (this) {
        is CorePlace.OnDevice -> Place.OnDevice(model, variant, hash)
        is CorePlace.SystemModel -> Place.SystemModel(adapter)
        is CorePlace.Remote -> Place.Remote(endpoint, trust.named(), model)
    }

internal fun CoreAssistantEvent.toPublic(): AssistantEvent =
    when (this) {
        is CoreAssistantEvent.Trying -> AssistantEvent.Trying(place.toPublic(), sent?.named())
        is CoreAssistantEvent.Text -> AssistantEvent.Text(text)
        is CoreAssistantEvent.Restarted -> AssistantEvent.Restarted
        is CoreAssistantEvent.Finished -> AssistantEvent.Finished(report.toPublic())
    }

private fun CoreRefused.toPublic(): Refused = Refused(name, reason)

private fun CoreReport.toPublic(): Report =
    Report(
        receipt = receipt.toLong(),
        outcome = outcome.named(),
        isPartial = partial,
        place = place?.toPublic(),
        sent = sent?.named(),
        reasons = reasons,
        rules = rules,
        tried = tried,
        refused = refused.map { it.toPublic() },
        bytesOut = bytesOut.toLong(),
        bytesIn = bytesIn.toLong(),
        redacted = redacted.toInt(),
        tokensIn = tokensIn.toLong(),
        tokensOut = tokensOut.toLong(),
        timeToFirstToken = firstTokenMs?.toLong()?.milliseconds,
        total = totalMs.toLong().milliseconds,
        millijoules = millijoules?.toLong(),
        canEscalate = canEscalate,
        summary = summary,
        json = json,
    )

internal fun CoreExplanation.toPublic(): Explanation =
    Explanation(decision.named(), candidates, refused.map { it.toPublic() }, rules, text, json)

internal fun CoreRedactedText.toPublic(): RedactedText =
    RedactedText(text, findings.map { Finding(it.kind, it.start.toInt(), it.end.toInt(), it.confidence) })

private fun List<CoreFindingCount>.toPublic(): Map<String, Long> = associate { it.kind to it.count.toLong() }

internal fun CoreReceipt.toPublic(): Receipt =
    Receipt(
        id = id.toLong(),
        openedMs = openedMs.toLong(),
        closedMs = closedMs?.toLong(),
        outcome = outcome?.named(),
        place = place?.toPublic(),
        task = task,
        privacyClass = privacyClass.named(),
        rules = rules,
        findings = findings.toPublic(),
        redacted = redacted.toPublic(),
        bytesOut = bytesOut.toLong(),
        bytesOutUncertain = bytesOutUncertain.toLong(),
        bytesIn = bytesIn.toLong(),
        json = json,
    )

internal fun CoreLedgerReport.toPublic(): LedgerReport =
    LedgerReport(intact, entries.toLong(), receipts.toLong(), problems, json)

internal fun CoreLedgerStats.toPublic(): LedgerStats =
    LedgerStats(
        receipts = receipts.toLong(),
        answers =
            some(
                PlaceKind.ON_DEVICE to answersOnDevice,
                PlaceKind.SYSTEM_MODEL to answersSystemModel,
                PlaceKind.OWN_DEVICE to answersOwnDevice,
                PlaceKind.ORGANISATION to answersOrganisation,
                PlaceKind.PUBLIC_CLOUD to answersPublicCloud,
            ),
        ends =
            some(
                Outcome.CANCELLED to cancelled,
                Outcome.FAILED to failed,
                Outcome.DENIED to denied,
                Outcome.DEFERRED to deferred,
                Outcome.INTERRUPTED to interrupted,
            ),
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
    )

/** Those that are not zero. */
private fun <Key> some(vararg counts: Pair<Key, ULong>): Map<Key, Long> =
    counts.filter { it.second > 0u }.associate { it.first to it.second.toLong() }
