//! `graph.nnef`: the caps on its text, and the way from text to a planned graph.

/// The longest graph text that is parsed, in bytes.
pub const GRAPH_BYTES_MAX: usize = 1 << 20;
/// The deepest nesting of brackets that is parsed: the parser's time doubles with each level.
pub const GRAPH_NESTING_MAX: usize = 6;
