internal import WhimbrelCore

// What the translation of values (ValueTranslation.swift) and of calls has in common: errors, durations, and numbers
// without a sign.

/// Runs a call into the core and gives its errors their public form.
func translated<Value>(_ call: () throws -> Value) throws -> Value {
    do { return try call() } catch { throw WhimbrelError(error) }
}

/// Runs a call into the core and gives its errors their public form.
func translated<Value: Sendable>(
    isolation: isolated (any Actor)? = #isolation,
    _ call: () async throws -> Value
) async throws -> Value {
    do { return try await call() } catch { throw WhimbrelError(error) }
}

/// The core counts without a sign.
func coreNumber<Number: FixedWidthInteger>(_ value: Int, _ option: String) throws -> Number {
    guard let number = Number(exactly: value) else { throw outside(option, "0 to \(Number.max)", "\(value)") }
    return number
}

/// A share of a hundred.
func corePercent(_ value: Int, _ option: String) throws -> UInt8 {
    guard (0...100).contains(value) else { throw outside(option, "0 to 100", "\(value)") }
    return UInt8(value)
}

/// The core counts whole milliseconds; fractions are dropped.
func coreMilliseconds<Number: FixedWidthInteger>(_ duration: Duration, _ option: String) throws -> Number {
    let (seconds, attoseconds) = duration.components
    let (thousands, isOver) = seconds.multipliedReportingOverflow(by: 1000)
    guard !isOver, let number = Number(exactly: thousands + attoseconds / 1_000_000_000_000_000) else {
        throw outside(option, "0 to \(Number.max) milliseconds", "\(duration)")
    }
    return number
}

/// How often each kind was found.
func counts(_ found: [WhimbrelCore.FindingCount]) -> [String: Int] {
    Dictionary(found.map { ($0.kind, Int(clamping: $0.count)) }) { $0 + $1 }
}

/// Those that are not 0.
func present<Key>(_ counts: [Key: UInt64]) -> [Key: Int] {
    counts.filter { $0.value > 0 }.mapValues { Int(clamping: $0) }
}

private func outside(_ option: String, _ expected: String, _ found: String) -> WhimbrelError {
    .invalidOption(option, expected: expected, found: found)
}
