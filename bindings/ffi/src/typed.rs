//! Answers as values of a type: what of the value is there while it is written. The packages make the schema of a type and read the value.

use std::sync::{Arc, Mutex, PoisonError};

use whimbrel_client as client;

/// Reads a JSON text piece by piece, and says what is there so far as JSON of its own: open strings, lists and objects are closed, and what may still
/// change its meaning is left out.
#[derive(uniffi::Object)]
pub struct PartialJson(Mutex<client::PartialJson>);

#[uniffi::export]
impl PartialJson {
    /// Nothing so far.
    #[uniffi::constructor]
    #[must_use]
    pub fn new() -> Arc<PartialJson> {
        Arc::new(PartialJson(Mutex::default()))
    }

    /// Reads on. Returns what is there so far, or nothing if that has not changed.
    #[must_use]
    pub fn push(&self, piece: String) -> Option<String> {
        let mut partial = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        partial.push(&piece).then(|| partial.json()).flatten()
    }
}

/// The fields of a JSON schema of an object, or of a list of objects, each with its description in brackets. Empty for any other schema.
#[uniffi::export]
#[must_use]
pub fn schema_fields(schema: String) -> String {
    client::schema_fields(&schema)
}
