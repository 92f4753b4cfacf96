// scripts/bindings-values.py writes this from bindings/ffi/src/ledger.rs: change that, then run  make bindings.
package org.whimbrel

/**
 * Selects the receipts to list. Values that are left out do not restrict the list.
 *
 * @property before only receipts with lower numbers than this one. For the next page, pass the number of the last
 *   receipt.
 * @property fromMs only receipts that were opened at this time or later, in milliseconds since 1970.
 * @property untilMs only receipts that were opened before this time, in milliseconds since 1970.
 * @property outcome only receipts with this outcome.
 * @property place only receipts whose answer came from this kind of place, or whose last attempt was there.
 */
public data class ReceiptFilter(
    public val before: Long? = null,
    public val fromMs: Long? = null,
    public val untilMs: Long? = null,
    public val outcome: Outcome? = null,
    public val place: PlaceKind? = null,
)

/**
 * The record of one request.
 *
 * @property id its number in the ledger.
 * @property openedMs when it was opened, in milliseconds since 1970.
 * @property closedMs when it was closed.
 * @property outcome how the request ended. Absent while it is in progress.
 * @property place where the answer came from, or which place was tried last.
 * @property task the app's name for the kind of work.
 * @property privacyClass how private the text was.
 * @property rules the ids of the rules that decided about the whole request.
 * @property findings how many different values of each kind were found in the text, the conversation's history
 *   included.
 * @property redacted how many different values of each kind were replaced in text that left, the conversation's history
 *   included.
 * @property repeated how many of these had left, replaced, with an earlier question of the conversation.
 * @property bytesOut bytes that left the device.
 * @property bytesOutUncertain bytes that may have left in addition, because the process ended before the receipt was
 *   complete.
 * @property bytesIn bytes that were received.
 * @property answeredBefore the number of the receipt whose answer was given again. Absent if a place was asked.
 * @property json the complete receipt in JSON: the plan, each attempt, tokens, times, feedback, and its hashes in the
 *   ledger.
 */
public data class Receipt(
    public val id: Long,
    public val openedMs: Long,
    public val closedMs: Long?,
    public val outcome: Outcome?,
    public val place: Place?,
    public val task: String,
    public val privacyClass: PrivacyClass,
    public val rules: List<String>,
    public val findings: Map<String, Long>,
    public val redacted: Map<String, Long>,
    public val repeated: Map<String, Long>,
    public val bytesOut: Long,
    public val bytesOutUncertain: Long,
    public val bytesIn: Long,
    public val answeredBefore: Long?,
    public val json: String,
)

/**
 * The result of verifying the ledger.
 *
 * @property isIntact whether the ledger is unchanged.
 * @property entries entries that were read.
 * @property receipts receipts that these entries open.
 * @property problems the problems in words; at most 256.
 * @property json the complete report in JSON.
 */
public data class LedgerReport(
    public val isIntact: Boolean,
    public val entries: Long,
    public val receipts: Long,
    public val problems: List<String>,
    public val json: String,
)

/** How a sentence refers to the device. */
public enum class Host {
    /** "this phone" */
    PHONE,

    /** "this tablet" */
    TABLET,

    /** "this computer" */
    COMPUTER,
}

/**
 * The totals of a number of receipts.
 *
 * @property receipts the number of receipts.
 * @property answers answers by kind of place; kinds without answers are left out.
 * @property ends requests without an answer, by outcome; outcomes that did not occur are left out.
 * @property answersGivenAgain answers that were remembered and given again: no place was asked.
 * @property unfinished requests that have not ended yet.
 * @property bytesOut bytes that left the device.
 * @property bytesOutUncertain bytes that may have left in addition.
 * @property bytesIn bytes that were received.
 * @property personalAsIs how many requests sent text that was not public as it is, or with words of a special category,
 *   which are not replaced.
 * @property redacted how many values of each kind were replaced in text that left. A value that every question of a
 *   conversation takes along counts once.
 * @property tokensIn prompt tokens.
 * @property tokensOut answer tokens.
 * @property millijoules the sum of the energy estimates in millijoules.
 * @property summary a one-sentence summary in English.
 */
public data class LedgerStats(
    public val receipts: Long,
    public val answers: Map<PlaceKind, Long>,
    public val ends: Map<Outcome, Long>,
    public val answersGivenAgain: Long,
    public val unfinished: Long,
    public val bytesOut: Long,
    public val bytesOutUncertain: Long,
    public val bytesIn: Long,
    public val personalAsIs: Long,
    public val redacted: Map<String, Long>,
    public val tokensIn: Long,
    public val tokensOut: Long,
    public val millijoules: Long,
    public val summary: String,
)

/**
 * Selects the receipts to remove: those that match either value.
 *
 * @property openedBeforeMs receipts that were opened before this time, in milliseconds since 1970.
 * @property receiptsMax the number of newest receipts to keep; all older ones are removed.
 */
public data class Prune(
    public val openedBeforeMs: Long? = null,
    public val receiptsMax: Long? = null,
)

/**
 * The start of a ledger whose oldest receipts were removed.
 *
 * @property sequence the number of the last entry that was removed.
 * @property receipts the number of the last receipt that was removed.
 * @property hash the hash of that entry, in hexadecimal digits. The next entry continues from it.
 * @property timeMs when they were removed, in milliseconds since 1970.
 */
public data class Checkpoint(
    public val sequence: Long,
    public val receipts: Long,
    public val hash: String,
    public val timeMs: Long,
)
