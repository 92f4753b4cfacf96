//! A ledger in memory.

use std::collections::BTreeMap;
use std::sync::Mutex;

use whimbrel_client::ports::Records;
use whimbrel_client::record::{Closing, Intent, Place, ReceiptId, Signal};
use whimbrel_client::store::StoreError;

#[derive(Default)]
pub(crate) struct Memory {
    entries: Mutex<Vec<(Intent, Option<Closing>)>>,
    state: Mutex<BTreeMap<String, Vec<u8>>>,
}

impl Memory {
    /// Whether a receipt is open whose plan has this endpoint.
    pub(crate) fn is_open_for(&self, id: &str) -> bool {
        let names = |place: &Place| matches!(place, Place::Remote { endpoint, .. } if endpoint.as_str() == id);
        let entries = self.entries.lock().unwrap();
        let mut open = entries.iter().filter(|(_, closing)| closing.is_none());
        open.any(|(intent, _)| intent.planned.iter().any(|planned| names(&planned.place)))
    }

    /// Everything that was written.
    pub(crate) fn as_text(&self) -> String {
        let state = self.state.lock().unwrap();
        let state = state.values().map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        serde_json::to_string(&*self.entries.lock().unwrap()).unwrap() + &state.collect::<String>()
    }
}

impl Records for Memory {
    fn begin(&self, intent: &Intent, _: u64) -> Result<ReceiptId, StoreError> {
        let mut entries = self.entries.lock().unwrap();
        entries.push((intent.clone(), None));
        Ok(ReceiptId(entries.len() as u64))
    }

    fn finish(&self, receipt: ReceiptId, closing: &Closing, _: u64) -> Result<(), StoreError> {
        let entry = &mut self.entries.lock().unwrap()[receipt.0 as usize - 1];
        assert!(entry.1.is_none(), "a receipt is closed once");
        entry.1 = Some(closing.clone());
        Ok(())
    }

    fn record(&self, intent: &Intent, closing: &Closing, now_ms: u64) -> Result<ReceiptId, StoreError> {
        let receipt = self.begin(intent, now_ms)?;
        self.finish(receipt, closing, now_ms)?;
        Ok(receipt)
    }

    fn feedback(&self, _: ReceiptId, _: Signal, _: u64) -> Result<Option<(String, String)>, StoreError> {
        Ok(Some(("chat".to_owned(), "on_device:tiny/q4_0".to_owned())))
    }

    fn state(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.state.lock().unwrap().get(name).cloned())
    }

    fn keep_state(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.state.lock().unwrap().insert(name.to_owned(), bytes.to_vec());
        Ok(())
    }
}
