// scripts/bindings-values.py writes this from bindings/ffi/src/performance.rs: change that, then run  make bindings.

/// What requests took since counting began. Everything is counted on this device; see `Telemetry` for what may leave
/// it.
public struct Performance: Sendable, Equatable {
    /// When counting began, in milliseconds since 1970.
    public var beginsMs: Int
    /// When the last request that is counted ended.
    public var throughMs: Int
    /// How all requests ended.
    public var outcomes: RequestOutcomes
    /// One for each kind of request, most requests first.
    public var series: [PerformanceSeries]
    /// The days with requests, oldest first; the last 49 of them.
    public var days: [PerformanceDay]
    /// Models on this device that have become slower or worse.
    public var regressions: [Regression]
    /// How often requests failed with each code, most frequent first.
    public var failures: [FailureCount]
    /// The energy used on this device, by the method of estimating it.
    public var energy: [EnergyTotal]
    /// How often the app was ended in the middle of a request, by its stage.
    public var endings: [EndingCount]
    /// All of it in JSON.
    public var json: String

    /// Takes every value; those with a default can be left out.
    public init(
        beginsMs: Int,
        throughMs: Int,
        outcomes: RequestOutcomes,
        series: [PerformanceSeries],
        days: [PerformanceDay],
        regressions: [Regression],
        failures: [FailureCount],
        energy: [EnergyTotal],
        endings: [EndingCount],
        json: String
    ) {
        self.beginsMs = beginsMs
        self.throughMs = throughMs
        self.outcomes = outcomes
        self.series = series
        self.days = days
        self.regressions = regressions
        self.failures = failures
        self.energy = energy
        self.endings = endings
        self.json = json
    }
}

/// How requests ended.
public struct RequestOutcomes: Sendable, Equatable {
    /// With an answer.
    public var answered: Int
    /// With an answer that was given before.
    public var givenAgain: Int
    /// The user or the app stopped them.
    public var cancelled: Int
    /// Without an answer.
    public var failed: Int
    /// The policy denied them.
    public var denied: Int
    /// They were deferred.
    public var deferred: Int
    /// The process ended before they did.
    public var interrupted: Int

    /// Takes every value; those with a default can be left out.
    public init(
        answered: Int,
        givenAgain: Int,
        cancelled: Int,
        failed: Int,
        denied: Int,
        deferred: Int,
        interrupted: Int
    ) {
        self.answered = answered
        self.givenAgain = givenAgain
        self.cancelled = cancelled
        self.failed = failed
        self.denied = denied
        self.deferred = deferred
        self.interrupted = interrupted
    }
}

/// What requests of one kind took: those of one task that one model answered at one kind of place.
public struct PerformanceSeries: Sendable, Equatable {
    /// Where they were answered, or tried last. Absent if no place was asked.
    public var place: PlaceKind?
    /// The model.
    public var model: String?
    /// The model's variant, on this device.
    public var variant: String?
    /// The task.
    public var task: String
    /// The class of the device, if its memory is known.
    public var device: DeviceClass?
    /// How they ended.
    public var outcomes: RequestOutcomes
    /// Bytes that left the device for them.
    public var bytesOut: Int
    /// Bytes that were received for them.
    public var bytesIn: Int
    /// The most memory that the process had at the end of one of them, in bytes.
    public var memoryBytesMax: Int
    /// The measures that have values.
    public var measures: [MeasuredValues]

    /// Takes every value; those with a default can be left out.
    public init(
        place: PlaceKind?,
        model: String?,
        variant: String?,
        task: String,
        device: DeviceClass?,
        outcomes: RequestOutcomes,
        bytesOut: Int,
        bytesIn: Int,
        memoryBytesMax: Int,
        measures: [MeasuredValues]
    ) {
        self.place = place
        self.model = model
        self.variant = variant
        self.task = task
        self.device = device
        self.outcomes = outcomes
        self.bytesOut = bytesOut
        self.bytesIn = bytesIn
        self.memoryBytesMax = memoryBytesMax
        self.measures = measures
    }
}

/// How much a device can do, in classes that are too wide to tell one device from another.
public enum DeviceClass: Sendable, Hashable, CaseIterable {
    /// Less than 4 GB of memory.
    case small
    /// 4 to 8 GB.
    case medium
    /// 8 GB and more.
    case large
}

/// One figure of a request. Times are in microseconds.
public enum Measure: Sendable, Hashable, CaseIterable {
    /// From the request to its end.
    case total
    /// From the request to the first text.
    case firstToken
    /// Looking for private data in the text, and replacing it.
    case examine
    /// Deciding where to ask.
    case decide
    /// On this device, until the model begins with the prompt.
    case load
    /// On this device: one token of the prompt, on average over the prompt.
    case prefillToken
    /// On this device: one token of the answer, on average over the answer.
    case decodeToken
    /// Elsewhere: from asking the place to the first piece of its answer.
    case network
    /// Processor time of the whole process, on all cores.
    case processor
    /// Tokens of the prompt.
    case inputTokens
    /// Tokens of the answer.
    case outputTokens
    /// Energy used on this device, in millijoules.
    case energy
}

/// The values of one measure over the answers of a series.
public struct MeasuredValues: Sendable, Equatable {
    /// The measure.
    public var measure: Measure
    /// How many values there are.
    public var count: Int
    /// Their sum.
    public var sum: Int
    /// The smallest.
    public var min: Int
    /// The largest.
    public var max: Int
    /// Half of the values are below it. Estimated, as is the next one.
    public var median: Double
    /// 95 % of the values are below it.
    public var p95: Double
    /// The upper bounds of the histogram's buckets.
    public var bounds: [Int]
    /// How many values are in each bucket; one more than there are bounds, for what is larger.
    public var counts: [Int]

    /// Takes every value; those with a default can be left out.
    public init(
        measure: Measure,
        count: Int,
        sum: Int,
        min: Int,
        max: Int,
        median: Double,
        p95: Double,
        bounds: [Int],
        counts: [Int]
    ) {
        self.measure = measure
        self.count = count
        self.sum = sum
        self.min = min
        self.max = max
        self.median = median
        self.p95 = p95
        self.bounds = bounds
        self.counts = counts
    }
}

/// What one day's requests took.
public struct PerformanceDay: Sendable, Equatable {
    /// When the day began, in milliseconds since 1970.
    public var beginsMs: Int
    /// How its requests ended.
    public var outcomes: RequestOutcomes
    /// How many were answered on this device.
    public var answeredHere: Int
    /// How many were answered elsewhere.
    public var answeredElsewhere: Int
    /// Bytes that left the device.
    public var bytesOut: Int
    /// Tokens of answers.
    public var outputTokens: Int
    /// Energy used on this device, in millijoules.
    public var millijoules: Int
    /// The median time to the first text. Absent if there was no text.
    public var medianFirstToken: Duration?
    /// The median speed of answers on this device, in tokens per second.
    public var decodeTokensPerSecond: Double?
    /// How fast the battery's charge fell between requests, in percent an hour, whatever the reason.
    public var batteryPercentPerHour: Double?
    /// The hottest that the device was at the end of a request.
    public var thermalMax: Thermal?

    /// Takes every value; those with a default can be left out.
    public init(
        beginsMs: Int,
        outcomes: RequestOutcomes,
        answeredHere: Int,
        answeredElsewhere: Int,
        bytesOut: Int,
        outputTokens: Int,
        millijoules: Int,
        medianFirstToken: Duration?,
        decodeTokensPerSecond: Double?,
        batteryPercentPerHour: Double?,
        thermalMax: Thermal?
    ) {
        self.beginsMs = beginsMs
        self.outcomes = outcomes
        self.answeredHere = answeredHere
        self.answeredElsewhere = answeredElsewhere
        self.bytesOut = bytesOut
        self.outputTokens = outputTokens
        self.millijoules = millijoules
        self.medianFirstToken = medianFirstToken
        self.decodeTokensPerSecond = decodeTokensPerSecond
        self.batteryPercentPerHour = batteryPercentPerHour
        self.thermalMax = thermalMax
    }
}

/// What has become worse about a model.
public enum RegressionKind: Sendable, Hashable, CaseIterable {
    /// It takes longer for a token.
    case slower
    /// More of its answers fail or repeat themselves.
    case worse
    /// People reject more of its answers.
    case rejected
}

/// A model on this device has become slower or worse.
public struct Regression: Sendable, Equatable {
    /// The model.
    public var model: String
    /// Its variant.
    public var variant: String
    /// What has become worse.
    public var kind: RegressionKind
    /// When it became so, estimated, in milliseconds since 1970.
    public var sinceMs: Int
    /// When that was found.
    public var foundMs: Int
    /// What it was before: the typical time for a token of an answer in microseconds, or the share of bad or rejected
    /// answers, 0 to 1.
    public var before: Double
    /// What it is now, in the same unit.
    public var after: Double

    /// Takes every value; those with a default can be left out.
    public init(
        model: String,
        variant: String,
        kind: RegressionKind,
        sinceMs: Int,
        foundMs: Int,
        before: Double,
        after: Double
    ) {
        self.model = model
        self.variant = variant
        self.kind = kind
        self.sinceMs = sinceMs
        self.foundMs = foundMs
        self.before = before
        self.after = after
    }
}

/// How often requests failed with a code.
public struct FailureCount: Sendable, Equatable {
    /// The code.
    public var code: String
    /// How often.
    public var count: Int

    /// Takes every value; those with a default can be left out.
    public init(
        code: String,
        count: Int
    ) {
        self.code = code
        self.count = count
    }
}

/// What a request was doing.
public enum RequestStage: Sendable, Hashable, CaseIterable {
    /// Its text was examined, and it was decided where to ask.
    case decide
    /// The model's context was made or restored, other answers had their turn, or a short prompt was read.
    case load
    /// The model read a long prompt.
    case prefill
    /// The model wrote the answer.
    case decode
    /// A place elsewhere was asked and had not answered yet.
    case network
    /// A place elsewhere answered.
    case receive
    /// The app carried out a tool.
    case tool
}

/// A request that was going on when the app was ended.
public struct RequestEnding: Sendable, Equatable {
    /// What it was doing.
    public var stage: RequestStage
    /// When it made progress last, in milliseconds since 1970.
    public var progressMs: Int
    /// When the app was known to run last.
    public var aliveMs: Int
    /// Whether it had made no progress for ten seconds while it computed: the app was probably ended because of that.
    public var isStuck: Bool

    /// Takes every value; those with a default can be left out.
    public init(
        stage: RequestStage,
        progressMs: Int,
        aliveMs: Int,
        isStuck: Bool
    ) {
        self.stage = stage
        self.progressMs = progressMs
        self.aliveMs = aliveMs
        self.isStuck = isStuck
    }
}

/// How often the app was ended in a stage of a request.
public struct EndingCount: Sendable, Equatable {
    /// The stage.
    public var stage: RequestStage
    /// How often.
    public var times: Int
    /// How often the request had made no progress for ten seconds before, while it computed.
    public var stuck: Int

    /// Takes every value; those with a default can be left out.
    public init(
        stage: RequestStage,
        times: Int,
        stuck: Int
    ) {
        self.stage = stage
        self.times = times
        self.stuck = stuck
    }
}

/// Energy by the method of estimating it.
public struct EnergyTotal: Sendable, Equatable {
    /// The method.
    public var method: String
    /// Millijoules.
    public var millijoules: Int

    /// Takes every value; those with a default can be left out.
    public init(
        method: String,
        millijoules: Int
    ) {
        self.method = method
        self.millijoules = millijoules
    }
}
