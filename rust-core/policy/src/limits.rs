//! Every limit of this crate, by name.

/// Bytes of one policy document.
pub const DOCUMENT_BYTES_MAX: u64 = 256 << 10;
/// Lists and tables inside one another in a document.
pub const DOCUMENT_DEPTH_MAX: u32 = 16;
/// Fields of one table in a JSON document; more than any table of a policy can have.
pub const TABLE_FIELDS_MAX: u64 = 256;
/// Rules of one document.
pub const RULES_MAX: u64 = 256;
/// Endpoints of one document.
pub const ENDPOINTS_MAX: u64 = 32;
/// Tasks with overrides in one document.
pub const TASKS_MAX: u64 = 64;
/// Entries of one list in a document: steps of a rule, tasks of a condition.
pub const LIST_ENTRIES_MAX: u64 = 64;
/// Bytes of the id of a rule or an endpoint, and of the name of a task.
pub const ID_BYTES_MAX: u64 = 64;
/// Bytes of a name or a description for people, or of the name of a model.
pub const TEXT_BYTES_MAX: u64 = 1024;
/// Bytes of a base URL.
pub const URL_BYTES_MAX: u64 = 2048;
/// The highest number in a range of a condition or in a limit: 2^53, up to which every number format of JSON is exact.
pub const NUMBER_MAX: u64 = 1 << 53;
/// The highest cost in a document, in whole units of its currency.
pub const COST_MAX: f64 = 1e6;
/// The longest deadline: one hour.
pub const DEADLINE_MS_MAX: u64 = 3_600_000;

/// A reading of something that changes counts as unknown when it is older than this. The totals of the device (memory, cores, accelerators) do not
/// age.
pub const READING_AGE_MS_MAX: u64 = 120_000;

/// Local models that one decision looks at; those behind are refused.
pub const LOCAL_MODELS_MAX: u64 = 32;

/// Pairs of task and candidate about which something is remembered.
pub const LEARNED_ENTRIES_MAX: u64 = 1024;
/// Bytes of the name of a task or a candidate about which something is remembered.
pub const LEARNED_NAME_BYTES_MAX: u64 = 256;
