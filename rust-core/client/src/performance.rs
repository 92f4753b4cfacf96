//! Measures requests while they run, and counts them when they have ended, by what the ledger's receipts say
//! (`whimbrel-telemetry`). It keeps the sum of those that were counted, so that the ledger need not be read from its beginning.

mod gauges;

use std::sync::Mutex;

use whimbrel_record::{AttemptEnd, Checkpoint, Closing, DeviceClass, Host, Measured, Place};
use whimbrel_store::{Prune, Store, StoreError};
use whimbrel_telemetry::{Ended, Meter, Overview, PageOptions, Spent, WatchKey};

pub use self::gauges::{Gauges, Reading, SystemGauges};
use crate::error::lock;
use crate::places::place_of;
use crate::ports::Clock;
use crate::services::Services;
use crate::{Assistant, ClientError, Model};

/// The name of the counted sum in the store.
const METER: &str = "meter";
/// The sum is kept again when so many entries of the ledger came after it.
const KEPT_ENTRIES: u64 = 128;
/// Receipts that are read at once.
const PAGE: u32 = 256;

/// What was read when a request began.
pub(crate) struct Measuring {
    began: Reading,
}

impl Measuring {
    pub(crate) fn begin(services: &Services) -> Measuring {
        Measuring {
            began: services.gauges.read(),
        }
    }

    /// Puts what the request took into the receipt's second entry. `parts` is what its stages and its last attempt say.
    pub(crate) fn end(self, services: &Services, parts: Measured, closing: &mut Closing) {
        let device = services.device();
        let ended = services.gauges.read();
        let here = closing
            .attempts
            .iter()
            .filter(|attempt| matches!(attempt.place, Place::OnDevice { .. }) && attempt.ended != AttemptEnd::Skipped);
        let (ran_here, here_ms) = here.fold((false, 0), |(_, ms), attempt| (true, attempt.milliseconds + ms));
        let spent = Spent {
            total_us: here_ms.saturating_mul(1_000),
            cpu_us: ended.cpu_us.saturating_sub(self.began.cpu_us),
            // The counter begins again at 0 after some hours.
            package_microjoules: (ended.package_microjoules)
                .zip(self.began.package_microjoules)
                .and_then(|(ended, began)| ended.checked_sub(began)),
            battery_milliwatts: device.battery_milliwatts.filter(|_| device.charging != Some(true)),
        };
        closing.measured = Measured {
            cpu_us: spent.cpu_us,
            memory_bytes: ended.memory_bytes,
            battery_percent: device.battery_percent.filter(|_| device.charging == Some(false)),
            thermal: device.thermal,
            device: device.memory_total_bytes.map(DeviceClass::of),
            ..parts
        };
        closing.energy = ran_here.then(|| spent.energy());
    }
}

/// Times one stage after the other.
pub(crate) struct Laps<'a> {
    clock: &'a dyn Clock,
    at_us: u64,
}

impl Laps<'_> {
    pub(crate) fn begin(clock: &dyn Clock) -> Laps<'_> {
        let at_us = clock.elapsed_us();
        Laps { clock, at_us }
    }

    /// What the stage that ends now took, in microseconds.
    pub(crate) fn next(&mut self) -> u64 {
        let now_us = self.clock.elapsed_us();
        now_us - std::mem::replace(&mut self.at_us, now_us)
    }
}

/// What the requests in a ledger took. It counts each receipt once, and remembers what it has counted, so that the ledger need not be read from its
/// beginning. Where the store is only read, nothing is written.
///
/// Every call blocks. The errors are those of the store.
#[derive(Default)]
pub struct Performance {
    counted: Mutex<Option<Counted>>,
}

struct Counted {
    meter: Meter,
    /// Up to which entry of the ledger the store has the sum.
    kept_through: u64,
}

impl Performance {
    /// What requests took.
    ///
    /// # Errors
    /// [`ClientError::Store`].
    pub fn overview(&self, store: &Store, clock: &dyn Clock) -> Result<Overview, ClientError> {
        self.look(store, clock, |meter| meter.overview())
    }

    /// Removes old receipts from the ledger. What they say is counted before, for the sums that are sent with the user's consent, too.
    ///
    /// # Errors
    /// [`ClientError::Store`], as [`Ledger::prune`](whimbrel_store::Ledger::prune).
    pub fn prune(&self, prune: &Prune, store: &Store, clock: &dyn Clock) -> Result<Option<Checkpoint>, ClientError> {
        crate::reporting::keep_sums(store, clock)?;
        self.look(store, clock, |meter| {
            keep(meter, store)?;
            let ledger = store.ledger();
            let pruned = ledger.prune(prune, clock.now_ms());
            forget_numbers(meter, store)?;
            keep(meter, store)?;
            Ok(pruned?)
        })?
    }

    /// Forgets what was counted, and counts from now on.
    ///
    /// # Errors
    /// [`ClientError::Store`]. Nothing is then forgotten.
    pub fn reset(&self, store: &Store, clock: &dyn Clock) -> Result<(), ClientError> {
        let counted = &mut *lock(&self.counted);
        let mut meter = Meter::new(clock.now_ms(), store.ledger().last_sequence()?);
        meter.set_feedback_through(store.ledger().last_feedback()?);
        keep(&meter, store)?;
        *counted = Some(meter.into());
        Ok(())
    }

    /// Counts what was going on when an earlier process was ended.
    ///
    /// # Errors
    /// [`ClientError::Store`].
    pub fn count_endings(&self, endings: &[Ended], store: &Store, clock: &dyn Clock) -> Result<(), ClientError> {
        self.look(store, clock, |meter| {
            meter.count_endings(endings);
            keep(meter, store)
        })?
    }

    /// Counts what the ledger has and is not counted yet, and gives the sum to `look`.
    pub(crate) fn look<T>(
        &self,
        store: &Store,
        clock: &dyn Clock,
        look: impl FnOnce(&mut Meter) -> T,
    ) -> Result<T, ClientError> {
        let counted = &mut *lock(&self.counted);
        let counted = match counted {
            Some(counted) => counted,
            None => counted.insert(load(store, clock)?.into()),
        };
        let meter = &mut counted.meter;
        count(meter, store, clock, 0)?;
        count_feedback(meter, store)?;
        if meter.through().saturating_sub(counted.kept_through) >= KEPT_ENTRIES {
            match keep(meter, store) {
                Err(ClientError::Store(StoreError::ReadOnly)) => {}
                Err(error) => {
                    log::warn!("the figures of requests cannot be written, and are counted again later: {error}")
                }
                Ok(()) => {}
            }
            counted.kept_through = meter.through();
        }
        Ok(look(meter))
    }
}

impl From<Meter> for Counted {
    fn from(meter: Meter) -> Counted {
        Counted {
            kept_through: meter.through(),
            meter,
        }
    }
}

/// The sum that the store has, or an empty one. Where it cannot be read, or belongs to another ledger, counting begins with what this one has.
fn load(store: &Store, clock: &dyn Clock) -> Result<Meter, ClientError> {
    let stored = state_or_empty(store, METER)?;
    match stored.map(|bytes| Meter::from_bytes(&bytes)) {
        Some(Ok(mut meter)) if meter.through() <= store.ledger().last_sequence()? => {
            forget_numbers(&mut meter, store)?;
            return Ok(meter);
        }
        Some(Ok(_)) => log::warn!("the figures of requests are of another ledger; they are counted again"),
        Some(Err(error)) => log::warn!("the figures of requests are counted again: {error}"),
        None => {}
    }
    let first = store.ledger().closed_after(0, 1)?.receipts.pop();
    let first_ms = first.map(|first| first.opened_ms);
    Ok(Meter::new(first_ms.unwrap_or_else(|| clock.now_ms()), 0))
}

/// A piece of state. One whose seal does not hold is empty, so that it is made again like one that cannot be parsed.
pub(crate) fn state_or_empty(store: &Store, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
    match store.state_get(name) {
        Err(StoreError::Unreadable { .. }) => Ok(Some(Vec::new())),
        stored => stored,
    }
}

fn keep(meter: &Meter, store: &Store) -> Result<(), ClientError> {
    Ok(store.state_put(METER, &meter.to_bytes())?)
}

/// Counts what the ledger has behind what is counted, if it was opened behind the entry `opened_after`. Reports of telemetry are no requests.
pub(crate) fn count(meter: &mut Meter, store: &Store, clock: &dyn Clock, opened_after: u64) -> Result<(), ClientError> {
    let mut after = meter.through();
    loop {
        let page = store.ledger().closed_after(after, PAGE)?;
        after = page.through;
        let requests = page.receipts.iter().filter(|closed| !closed.intent.is_report());
        for closed in requests.filter(|closed| closed.opened > opened_after) {
            let offset_s = clock.utc_offset_s(closed.closed_ms);
            meter.count(
                closed.sequence,
                closed.closed_ms,
                offset_s,
                &closed.intent,
                &closed.closing,
            );
        }
        // What is no request, or cannot be read, is not looked at again.
        meter.pass(after);
        if page.is_last {
            return Ok(());
        }
    }
}

/// Numbers of feedback are given again when the last signals were removed.
fn forget_numbers(meter: &mut Meter, store: &Store) -> Result<(), ClientError> {
    let last = store.ledger().last_feedback()?;
    meter.set_feedback_through(meter.feedback_through().min(last));
    Ok(())
}

/// Counts the feedback that is not counted yet.
fn count_feedback(meter: &mut Meter, store: &Store) -> Result<(), ClientError> {
    let ledger = store.ledger();
    loop {
        let (page, through) = ledger.feedback_after(meter.feedback_through(), PAGE)?;
        for given in page {
            // A receipt that is gone, or cannot be read, says nothing about a model.
            let receipt = ledger.show(given.receipt).ok();
            let closing = receipt.and_then(|receipt| receipt.closing);
            let place = closing
                .as_ref()
                .and_then(|closing| Some(&closing.attempts.last()?.place));
            meter.count_feedback(given.number, place, given.feedback);
        }
        if through == meter.feedback_through() {
            return Ok(());
        }
        meter.set_feedback_through(through);
    }
}

impl Assistant {
    /// The requests that were in progress when the last process that used this ledger was ended without having closed it: a crash, or a system that needed the memory.
    /// Empty after an orderly end.
    #[must_use]
    pub fn endings(&self) -> &[Ended] {
        &self.endings
    }

    /// What requests took: times, tokens, memory and energy, by model and task and by day. Everything is counted on this device, and nothing is
    /// sent.
    ///
    /// # Errors
    /// [`ClientError::Store`], [`ClientError::Closed`].
    pub async fn performance(&self) -> Result<Overview, ClientError> {
        self.counted(Performance::overview).await
    }

    /// The same as a page for people: one HTML text that needs no network. `host` is what the device is called on it.
    ///
    /// # Errors
    /// As [`Assistant::performance`].
    pub async fn performance_page(&self, host: Host) -> Result<String, ClientError> {
        let overview = self.performance().await?;
        Ok(overview.page(&page_options(&*self.services.clock, host)))
    }

    /// Forgets what requests took, and counts from now on. The ledger keeps its receipts.
    ///
    /// # Errors
    /// As [`Assistant::performance`].
    pub async fn reset_performance(&self) -> Result<(), ClientError> {
        self.counted(Performance::reset).await
    }

    /// Tells the router how fast a model was in earlier processes, since its last change. Returns at once.
    pub(crate) fn recall_speed(&self, model: &Model) {
        let (services, place) = (self.services.clone(), place_of(model));
        let Ok(records) = services.records() else { return };
        self.services.handle().spawn_blocking(move || {
            let Some(key) = WatchKey::of(&place) else { return };
            let look = |meter: &mut Meter| meter.speed_of(&key.model, &key.variant, &key.bundle);
            let known = records
                .store()
                .and_then(|store| services.performance.look(store, &*services.clock, look));
            if let Ok(Some(speed)) = known {
                services.places.expect_speed(&place, &speed);
            }
        });
    }

    pub(crate) async fn counted<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Performance, &Store, &dyn Clock) -> Result<T, ClientError> + Send + 'static,
    ) -> Result<T, ClientError> {
        let records = self.services.records()?;
        let done = self
            .services
            .blocking(move |services| work(&services.performance, records.store()?, &*services.clock));
        done.await?
    }
}

/// How pages say times, at this moment.
#[must_use]
pub fn page_options(clock: &dyn Clock, host: Host) -> PageOptions {
    let now_ms = clock.now_ms();
    PageOptions {
        host,
        now_ms,
        utc_offset_s: clock.utc_offset_s(now_ms),
    }
}
