package org.whimbrel

import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.withContext
import org.whimbrel.ffi.CoreException
import org.whimbrel.ffi.InternalException
import kotlin.time.Duration
import org.whimbrel.ffi.FindingCount as CoreFindingCount

// What the translation of values (ValueTranslation.kt) and of calls has in common: errors, and numbers without a sign.

/** Runs a call into the core and gives its exceptions their public form. */
internal inline fun <T> translated(call: () -> T): T =
    try {
        call()
    } catch (error: CoreException) {
        throw error.toPublic()
    } catch (error: InternalException) {
        throw WhimbrelException.Internal(0, "the call failed", error)
    }

/**
 * As [translated], for a call that waits for the core. The library is loaded before it, and the caller goes on in a thread of its own: without
 * a dispatcher, as in `suspend fun main`, it would go on in the core's thread and hold that up.
 */
internal suspend fun <T> awaited(call: suspend () -> T): T =
    withContext(Dispatchers.Default) {
        CoreLibrary.load()
        translated { call() }
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
        is CoreException.UnknownCall -> WhimbrelException.UnknownCall(id.toInt(), this)
        is CoreException.ToolsCannotWait -> WhimbrelException.ToolsCannotWait(this)
        is CoreException.NothingToRepeat -> WhimbrelException.NothingToRepeat(this)
        is CoreException.NoPolicy -> WhimbrelException.NoPolicy(this)
        is CoreException.NoTelemetry -> WhimbrelException.NoTelemetry(this)
        is CoreException.NoModel -> WhimbrelException.NoModel(this)
        is CoreException.Policy -> WhimbrelException.Policy(line.toInt(), column.toInt(), path, reason, this)
        is CoreException.Ledger -> WhimbrelException.Ledger(problem, reason, this)
        is CoreException.Import -> WhimbrelException.Import(problem, reason, this)
        is CoreException.Vault -> WhimbrelException.Vault(reason, locked, invalidated, this)
        is CoreException.Sealed -> WhimbrelException.Sealed(problem, reason, this)
        is CoreException.NotFound -> WhimbrelException.NotFound(what, id, this)
        is CoreException.Outbox -> WhimbrelException.Outbox(problem, reason, this)
        is CoreException.Document -> WhimbrelException.Document(problem, line.toInt(), column.toInt(), reason, this)
        is CoreException.LimitExceeded -> WhimbrelException.LimitExceeded(what, limit.toLong(), found.toLong(), this)
        is CoreException.OutOfMemory -> WhimbrelException.OutOfMemory(contextLength.toInt(), bytes.toLong(), this)
        is CoreException.Internal -> WhimbrelException.Internal(code.toInt(), reason, this)
    }

/** The core counts without a sign. */
internal fun Int.atLeastZero(option: String): UInt =
    if (this >= 0) toUInt() else throw WhimbrelException.InvalidOption(option, "0 or more", toString(), null)

internal fun Long.atLeastZero(option: String): ULong =
    if (this >= 0) toULong() else throw WhimbrelException.InvalidOption(option, "0 or more", toString(), null)

internal fun Int.percent(option: String): UByte =
    if (this in 0..100) toUByte() else throw WhimbrelException.InvalidOption(option, "0 to 100", toString(), null)

internal fun Duration.toCoreMs(option: String): UInt =
    inWholeMilliseconds
        .takeIf { it in 0..UInt.MAX_VALUE.toLong() }
        ?.toUInt()
        ?: throw WhimbrelException.InvalidOption(option, "0 to ${UInt.MAX_VALUE} milliseconds", toString(), null)

internal fun List<CoreFindingCount>.toPublic(): Map<String, Long> = associate { it.kind to it.count.toLong() }

/** Those that are not 0. */
internal fun <Key> present(vararg counts: Pair<Key, ULong>): Map<Key, Long> =
    counts.filter { it.second > 0u }.associate { it.first to it.second.toLong() }
