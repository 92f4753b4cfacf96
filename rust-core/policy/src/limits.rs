//! All named limits of this crate.

/// Maximum size of a policy document in bytes.
pub const DOCUMENT_BYTES_MAX: u64 = 256 << 10;
/// Maximum nesting of lists and tables in a document.
pub const DOCUMENT_DEPTH_MAX: u32 = 16;
/// Maximum fields of one table in a JSON document; more than any table of a policy can have.
pub const TABLE_FIELDS_MAX: u64 = 256;
/// Maximum rules in one document.
pub const RULES_MAX: u64 = 256;
/// Maximum rules about tools in one document.
pub const TOOL_RULES_MAX: u64 = 256;
/// Maximum endpoints in one document.
pub const ENDPOINTS_MAX: u64 = 32;
/// Maximum tasks with their own settings in one document.
pub const TASKS_MAX: u64 = 64;
/// Maximum entries of one list in a document, such as the steps of a rule or the tasks of a condition.
pub const LIST_ENTRIES_MAX: u64 = 64;
/// Maximum length of the id of a rule or an endpoint, and of the name of a task or a tool, in bytes.
pub const ID_BYTES_MAX: u64 = 64;
/// Maximum length of a display name, a description or the name of a model, in bytes.
pub const TEXT_BYTES_MAX: u64 = 1024;
/// Maximum length of a base URL in bytes.
pub const URL_BYTES_MAX: u64 = 2048;
/// The highest number in a condition's range or in a limit: 2^53, up to which every JSON implementation is exact.
pub const NUMBER_MAX: u64 = 1 << 53;
/// The highest cost in a document, in whole units of its currency.
pub const COST_MAX: f64 = 1e6;
/// The longest deadline: one hour.
pub const DEADLINE_MS_MAX: u64 = 3_600_000;
/// The longest time for which answers are remembered: ten years.
pub const DAYS_MAX: u64 = 3_650;

/// The smallest daily budget of bytes for telemetry: enough for the sums of a day and a few spans.
pub const TELEMETRY_BYTES_A_DAY_MIN: u64 = 10_000;
/// The largest daily budget of bytes for telemetry.
pub const TELEMETRY_BYTES_A_DAY_MAX: u64 = 10_000_000;
/// The largest daily budget of connections for telemetry: one each hour.
pub const TELEMETRY_CONNECTIONS_A_DAY_MAX: u64 = 24;

/// The maximum age of a reading of a changing value; an older one counts as unknown. The device's totals (memory, cores, accelerators) do
/// not expire.
pub const READING_AGE_MS_MAX: u64 = 120_000;

/// Maximum local models considered by one decision; any others are refused.
pub const LOCAL_MODELS_MAX: u64 = 32;

/// Maximum pairs of task and candidate that learning remembers.
pub const LEARNED_ENTRIES_MAX: u64 = 1024;
/// Maximum length of the name of a task or a candidate that learning remembers, in bytes.
pub const LEARNED_NAME_BYTES_MAX: u64 = 256;
