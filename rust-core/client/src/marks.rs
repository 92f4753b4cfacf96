//! Marks of what each request is doing (`whimbrel_telemetry::Mark`), so that the next process can say where this one was ended. A mark is written
//! when a request enters another stage and as it goes on, and taken away when it has ended.

use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use whimbrel_telemetry::{MARK_BYTES, MARKS_MAX, Mark, Stage, heartbeat};

use crate::error::lock;
use crate::services::{OpenRecords, Services};

/// How often the process says that it lives while requests are under way.
const HEARTBEAT: Duration = Duration::from_secs(2);
/// Progress is written at most so often.
const PROGRESS_MS: u64 = 500;

/// The marks of all requests.
#[derive(Default)]
pub(crate) struct Marks {
    slots: Mutex<Slots>,
}

#[derive(Default)]
struct Slots {
    taken: [bool; MARKS_MAX],
    /// Whether the heart beats.
    is_beating: bool,
}

/// The mark of one request, which goes with this.
pub(crate) struct Marking {
    services: Arc<Services>,
    records: Arc<OpenRecords>,
    slot: usize,
    mark: Mutex<Mark>,
}

impl Marking {
    /// The mark of a request that begins now. There is none where too many others have one, or where nothing is kept.
    pub(crate) fn begin(services: &Arc<Services>, records: &Arc<OpenRecords>) -> Option<Marking> {
        records.store().ok()?;
        let slots = &mut *lock(&services.marks.slots);
        let slot = slots.taken.iter().position(|taken| !taken)?;
        slots.taken[slot] = true;
        if !std::mem::replace(&mut slots.is_beating, true) {
            services
                .handle()
                .spawn(beat(Arc::downgrade(services), Arc::downgrade(records)));
        }
        let now_ms = services.clock.now_ms();
        let mark = Mark {
            stage: Stage::Decide,
            since_ms: now_ms,
            progress_ms: now_ms,
        };
        write(records, slot + 1, &mark.to_bytes());
        Some(Marking {
            services: services.clone(),
            records: records.clone(),
            slot,
            mark: Mutex::new(mark),
        })
    }

    /// The request is in a stage, and makes progress in it.
    pub(crate) fn note(&self, stage: Stage) {
        let now_ms = self.services.clock.now_ms();
        let mark = &mut *lock(&self.mark);
        if mark.stage != stage {
            *mark = Mark {
                stage,
                since_ms: now_ms,
                progress_ms: now_ms,
            };
        } else if now_ms.abs_diff(mark.progress_ms) < PROGRESS_MS {
            return;
        }
        mark.progress_ms = now_ms;
        write(&self.records, self.slot + 1, &mark.to_bytes());
    }
}

impl Drop for Marking {
    fn drop(&mut self) {
        write(&self.records, self.slot + 1, &[0; MARK_BYTES]);
        lock(&self.services.marks.slots).taken[self.slot] = false;
    }
}

/// Says that the process lives, as long as there are requests. This keeps nothing open.
async fn beat(services: Weak<Services>, records: Weak<OpenRecords>) {
    while beat_once(&services, &records).is_some() {
        tokio::time::sleep(HEARTBEAT).await;
    }
}

/// `None` when there is nothing to say any more.
fn beat_once(services: &Weak<Services>, records: &Weak<OpenRecords>) -> Option<()> {
    let services = services.upgrade()?;
    let slots = &mut *lock(&services.marks.slots);
    slots.is_beating = slots.taken.contains(&true);
    let records = records.upgrade().filter(|_| slots.is_beating)?;
    write(&records, 0, &heartbeat(services.clock.now_ms()));
    Some(())
}

/// The heartbeat has the first place. This writes into memory of the system's, and does not wait for a disk.
fn write(records: &OpenRecords, place: usize, bytes: &[u8]) {
    let written = records
        .store()
        .map(|store| store.write_marks((place * MARK_BYTES) as u32, bytes));
    if let Ok(Err(error)) = written {
        log::debug!("a mark cannot be written: {error}");
    }
}
