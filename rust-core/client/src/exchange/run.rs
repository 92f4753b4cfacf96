//! Carries out an exchange's commands: starts and stops attempts, passes events to the reader, and reports what happens.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use whimbrel_engine::{Said, ToolCall, ToolChoice, ToolUse};
use whimbrel_policy::{Command, Ended, Event as Happened, Exchange, Plan, Price, SetAside, Usage, UsedToday};
use whimbrel_privacy::Reidentifier;
use whimbrel_record::{Code, FinishReason, Label, Measured, Place};
use whimbrel_telemetry::Stage;

use super::prepare::ToAsk;
use super::{Events, Job, candidate};
use crate::conversation::Draft;
use crate::places::remote_tools::checked;
use crate::places::{Attempt, Last, Output, Part};
use crate::report::Event;
use crate::services::{OpenRecords, Services, UnderWay};
use crate::{ClientError, Statistics};

/// A request under way.
pub(super) struct Run<'a> {
    services: &'a Arc<Services>,
    backends: Vec<Result<ToAsk, Code>>,
    events: Events,
    cancelled: watch::Receiver<bool>,
    under_way: Arc<UnderWay>,
    /// The ledger, where rules decide.
    records: Option<Arc<OpenRecords>>,
    exchange: Exchange,
    /// The first commands.
    commands: Vec<Command>,
    running: Option<Running>,
    answer: String,
    /// What the attempt that answered called.
    calls: Vec<ToolCall>,
    /// What the model may call.
    tools: Option<Arc<ToolUse>>,
    /// Where the answer is written while it comes.
    draft: Option<Arc<Draft>>,
    wake_at_ms: u64,
    /// The app was frozen beyond a timer and has just woken up.
    waking: Option<Waking>,
    /// When the time for everything is over.
    ends_at_ms: u64,
    is_cancelled: bool,
    /// The exchange knows that it is cancelled.
    is_told: bool,
    set_aside: Vec<SetAside>,
    last: Details,
}

/// A timer that is later than this was not merely late: nothing ran meanwhile.
const FROZEN_MS_LEAST: u64 = 250;
/// So long may it take to read what came while nothing ran.
const WAKING_MS_MAX: u64 = 1_000;

/// What holds just after the app was frozen.
#[derive(Clone, Copy)]
struct Waking {
    /// The time for everything that is read now: just before the timer that was missed.
    asleep_ms: u64,
    /// Until when that holds.
    until_ms: u64,
}

/// The attempt that runs.
struct Running {
    number: u32,
    attempt: Box<dyn Attempt>,
    output: Output,
    /// Puts values back into the arguments of calls.
    reidentifier: Option<Reidentifier>,
    calls: Vec<ToolCall>,
    /// Why the place was told to stop although its answer is wanted: this is how the answer ended.
    cut: Option<Result<FinishReason, Code>>,
    /// When the place was asked.
    asked: Instant,
    /// How long the first piece of its answer took, in microseconds.
    first_us: Option<u64>,
}

/// What the report says about the last attempt.
#[derive(Default)]
pub(super) struct Details {
    pub(super) statistics: Option<Statistics>,
    pub(super) error: Option<ClientError>,
    pub(super) unsupported: Vec<&'static str>,
    pub(super) thinking_bytes: u64,
    pub(super) usage: Usage,
    /// What it took, in parts.
    pub(super) measured: Measured,
}

/// An exchange that has ended.
pub(super) struct Ran {
    pub(super) exchange: Exchange,
    pub(super) answer: String,
    /// The tools that were called.
    pub(super) calls: Vec<ToolCall>,
    /// What was set aside of the day's budget.
    pub(super) set_aside: Vec<SetAside>,
    pub(super) last: Details,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        services: &'a Arc<Services>,
        job: &Job,
        plan: Plan,
        prices: Vec<Price>,
        is_metered: bool,
        backends: Vec<Result<ToAsk, Code>>,
    ) -> Run<'a> {
        let tools = job.request.options.generation.tools.clone().map(Arc::new);
        let began_ms = services.clock.elapsed_ms();
        let ends_at_ms = began_ms.saturating_add(plan.bounds.deadline_ms);
        let (exchange, commands) = Exchange::start(plan, prices, is_metered, began_ms);
        Run {
            services,
            backends,
            events: job.events.clone(),
            cancelled: job.cancelled.clone(),
            under_way: job.under_way.clone(),
            records: job.under_way.records().ok(),
            exchange,
            commands,
            running: None,
            answer: String::new(),
            calls: Vec::new(),
            // What comes of tools may be for fewer readers than the question: it is written at the end, with them.
            draft: job.draft.clone().filter(|_| tools.is_none()),
            tools,
            wake_at_ms: u64::MAX,
            waking: None,
            ends_at_ms,
            is_cancelled: false,
            is_told: false,
            set_aside: Vec::new(),
            last: Details::default(),
        }
    }

    /// Carries out commands and takes in what happens, until it is over.
    pub(super) async fn finish(mut self) -> Ran {
        loop {
            for command in std::mem::take(&mut self.commands) {
                match command {
                    Command::Start { attempt, candidate } => self.start(attempt, candidate).await,
                    Command::Stop { attempt } => self.stop(attempt),
                    Command::WakeAt { at_ms } => self.wake_at_ms = at_ms,
                    Command::Restart => {
                        self.answer.clear();
                        self.draft.iter().for_each(|draft| draft.restart());
                        self.give(Event::Restarted).await;
                    }
                    Command::End => {
                        return Ran {
                            exchange: self.exchange,
                            answer: self.answer,
                            calls: self.calls,
                            set_aside: self.set_aside,
                            last: self.last,
                        };
                    }
                }
            }
            if self.commands.is_empty() {
                self.commands = self.wait().await;
            }
        }
    }

    fn step(&mut self, event: Happened) -> Vec<Command> {
        let now_ms = self.services.clock.elapsed_ms();
        self.exchange
            .step(self.waking.map_or(now_ms, |waking| waking.asleep_ms.min(now_ms)), event)
    }

    /// The time of the next timer has come. A timer that is much too late means that the app was frozen: what came meanwhile counts as if it had
    /// been read in time, and gets a moment to be read.
    fn timer(&mut self) -> Vec<Command> {
        if self.waking.take().is_none() && self.has_woken_up() {
            return Vec::new();
        }
        self.step(Happened::Timer)
    }

    /// Whether the app was frozen, which shows when something happens long after the next timer's time. From now on it is waking up.
    fn has_woken_up(&mut self) -> bool {
        let now_ms = self.services.clock.elapsed_ms();
        let has_woken = now_ms.saturating_sub(self.wake_at_ms) >= FROZEN_MS_LEAST && self.running.is_some();
        if has_woken {
            self.waking = Some(Waking {
                asleep_ms: self.wake_at_ms.saturating_sub(1),
                until_ms: now_ms + WAKING_MS_MAX,
            });
        }
        has_woken
    }

    /// Waits for what happens next, and says what is to be done then.
    async fn wait(&mut self) -> Vec<Command> {
        if self.is_cancelled && !std::mem::replace(&mut self.is_told, true) {
            return self.step(Happened::Cancelled);
        }
        let due = self.instant(self.waking.map_or(self.wake_at_ms, |waking| waking.until_ms));
        let part = tokio::select! {
            biased;
            () = raised(&mut self.cancelled), if !self.is_told => {
                self.is_cancelled = true;
                return Vec::new();
            }
            () = self.events.closed(), if !self.is_told => {
                self.is_cancelled = true;
                return Vec::new();
            }
            part = next(&mut self.running) => part,
            () = sleep_until(due) => return self.timer(),
        };
        if self.waking.is_none() {
            // What came may be seen before the timer that it came after.
            self.has_woken_up();
        }
        if let Some(running) = self.running.as_mut().filter(|running| running.first_us.is_none())
            && !matches!(part, Part::Ended(_))
        {
            running.first_us = Some(running.asked.elapsed().as_micros() as u64);
        }
        self.note(&part);
        match part {
            Part::Reading { done, total } => {
                self.give(Event::Reading { done, total }).await;
                Vec::new()
            }
            Part::Thinking(text) => self.take(Said::thought(text)).await,
            Part::Text(text) => self.take(Said::answer(text)).await,
            Part::Call(call) => {
                self.take_call(call).await;
                Vec::new()
            }
            Part::Ended(last) => self.take_end(*last).await,
        }
    }

    /// Says in which stage the request is, by what came.
    fn note(&self, part: &Part) {
        let place = self.running.as_ref().and_then(|running| self.place(running.number));
        let is_remote = place.is_some_and(|place| place.is_remote());
        match (part, is_remote) {
            (Part::Ended(_), _) => {}
            (_, true) => self.under_way.note(Stage::Receive),
            (Part::Reading { .. }, false) => self.under_way.note(Stage::Prefill),
            (_, false) => self.under_way.note(Stage::Decode),
        }
    }

    /// Shows a piece, unless its attempt was late or it is to be held back.
    async fn take(&mut self, said: Said) -> Vec<Command> {
        let Some(running) = self.running.as_mut().filter(|running| running.cut.is_none()) else {
            return Vec::new();
        };
        let shown = running.output.push(said);
        if running.output.is_stopped() {
            running.cut = Some(Ok(FinishReason::Stop));
        } else if running.output.is_too_large() {
            running.cut = Some(Err(Code::TooLarge));
        }
        if running.cut.is_some() {
            running.attempt.stop();
        }
        let attempt = running.number;
        if self.tools.is_some() && shown == Said::default() {
            // What is held back may become a call: it is a sign of life.
            let mut commands = Vec::new();
            self.is_wanted(attempt, Happened::Thinking { attempt }, &mut commands);
            return commands;
        }
        self.show(attempt, shown).await
    }

    /// Takes a call of a tool, if it is one that may be called.
    async fn take_call(&mut self, call: ToolCall) {
        let Some(running) = self.running.as_ref().filter(|running| running.cut.is_none()) else {
            return;
        };
        let (tools, reidentifier) = (self.tools.clone(), running.reidentifier.clone());
        let may_call = |tools: &Arc<ToolUse>| tools.choice != ToolChoice::None;
        let checked = self.services.blocking(move |_| {
            let tools = tools.filter(may_call)?;
            checked(call, &tools, reidentifier)
        });
        let checked = checked.await;
        let Some(running) = &mut self.running else { return };
        match checked {
            Ok(Some(call)) => running.calls.push(call),
            Ok(None) | Err(_) => {
                running.cut = Some(Err(Code::BadCall));
                running.attempt.stop();
            }
        }
    }

    async fn show(&mut self, attempt: u32, Said { thinking, text }: Said) -> Vec<Command> {
        let mut commands = Vec::new();
        if !thinking.is_empty() && self.is_wanted(attempt, Happened::Thinking { attempt }, &mut commands) {
            self.last.thinking_bytes += thinking.len() as u64;
            self.give(Event::Thinking(thinking)).await;
        }
        if !text.is_empty() && self.is_wanted(attempt, Happened::Text { attempt }, &mut commands) {
            self.answer.push_str(&text);
            self.draft.iter().for_each(|draft| draft.push(&text));
            self.give(Event::Text(text)).await;
        }
        commands
    }

    /// Reports what an attempt has to show, and says whether it is shown: the attempt's time may have been over before it came.
    fn is_wanted(&mut self, attempt: u32, happened: Happened, commands: &mut Vec<Command>) -> bool {
        if self.exchange.is_running(attempt) {
            commands.append(&mut self.step(happened));
        }
        self.exchange.is_running(attempt)
    }

    async fn take_end(&mut self, last: Last) -> Vec<Command> {
        let Some(running) = self.running.take() else {
            return Vec::new();
        };
        let (attempt, output, mut ended) = (running.number, running.output, last.ended);
        let calls = running.calls;
        let rest = match running.cut {
            Some(result) => {
                ended.result = result;
                Ok(Said::default())
            }
            None if output.has_form() => {
                let checked = self.services.blocking(move |_| output.finish());
                checked.await.unwrap_or(Err(Code::Internal))
            }
            None => output.finish(),
        };
        let mut commands = match rest {
            Ok(rest) => self.show(attempt, rest).await,
            Err(code) => {
                // What the place itself says about its end says more.
                if let Ok(FinishReason::Stop | FinishReason::Length | FinishReason::Unstated) = ended.result {
                    ended.result = Err(code);
                }
                Vec::new()
            }
        };
        match ended.result {
            Ok(_) if !calls.is_empty() => {
                ended.result = Ok(FinishReason::ToolCalls);
                for call in &calls {
                    *ended.calls.entry(Label::squeezed(&call.name)).or_default() += 1;
                }
                self.calls = calls;
            }
            _ => {}
        }
        if ended.result.is_err() {
            // Only an answer counts as if it had been read in time; another place begins now.
            self.waking = None;
        }
        if let (Some(place), Some(statistics)) = (self.place(attempt), &last.statistics) {
            self.services
                .places
                .measured(&place, statistics, self.services.clock.now_ms());
        }
        self.last.usage = ended.usage.clone();
        self.last.measured = last.measured;
        if self.place(attempt).is_some_and(|place| place.is_remote()) {
            self.last.measured.network_us = running.first_us.unwrap_or(0);
        }
        self.last.statistics = last.statistics;
        self.last.error = last.error;
        commands.append(&mut self.step(Happened::Ended { attempt, ended }));
        commands
    }

    fn place(&self, attempt: u32) -> Option<Place> {
        let index = self.exchange.candidate_of(attempt)?;
        Some(candidate(self.exchange.plan(), index).place().clone())
    }

    async fn start(&mut self, attempt: u32, index: u32) {
        let candidate = candidate(self.exchange.plan(), index);
        let started = Event::Started {
            place: candidate.place().clone(),
            release: candidate.release(),
        };
        let is_remote = candidate.place().is_remote();
        self.give(started).await;
        self.last = Details::default();
        if self.is_cancelled || *self.cancelled.borrow() {
            // Nothing is begun any more; the exchange hears of it next.
            return;
        }
        self.under_way.note(match is_remote {
            true => Stage::Network,
            false => Stage::Load,
        });
        // A candidate is asked once.
        let to_ask = std::mem::replace(&mut self.backends[index as usize], Err(Code::AskedBefore));
        let begun = match to_ask {
            Ok(to_ask) => self.pay(index).await.and_then(|()| self.begin(attempt, to_ask)),
            Err(code) => Err(code),
        };
        match begun {
            Ok(running) => self.running = Some(running),
            Err(code) => self.skip(attempt, code),
        }
    }

    /// Sets aside what the candidate may cost and send at most. Nothing leaves before that is on the disk.
    async fn pay(&mut self, index: u32) -> Result<(), Code> {
        let plan = self.exchange.plan();
        let (most, of_day) = (self.exchange.most(index), plan.budget_of_day);
        if most == UsedToday::default() {
            return Ok(());
        }
        let records = self.records.clone().ok_or(Code::Closed)?;
        let set_aside = self.services.blocking(move |services| {
            services
                .rules()?
                .set_aside(most, &of_day, services.clock.now_ms(), &**records)
        });
        match set_aside.await {
            Ok(Ok(Some(set_aside))) => self.set_aside.push(set_aside),
            Ok(Ok(None)) => return Err(Code::OverBudget),
            Ok(Err(error)) | Err(error) => {
                log::error!("cost and traffic cannot be reserved for an attempt: {error}");
                return Err(Code::NotRecorded);
            }
        }
        Ok(())
    }

    fn begin(&mut self, number: u32, mut to_ask: ToAsk) -> Result<Running, Code> {
        to_ask.ask.wait_ms_max = Some(self.exchange.wait_ms_max());
        let stops = &to_ask.ask.options.stop;
        // The engine on this device knows its models' marks; others may leave them in their text.
        let has_marks = !matches!(self.place(number), Some(Place::OnDevice { .. }));
        let is_remote = self.place(number).is_some_and(|place| place.is_remote());
        let form = to_ask.ask.options.form.clone().filter(|_| is_remote);
        let reidentifier = to_ask.reidentifier.clone();
        let output = Output::new(to_ask.reidentifier, stops, has_marks, form).map_err(|_| Code::Stop)?;
        self.last.unsupported = to_ask.backend.unsupported(&to_ask.ask.options);
        Ok(Running {
            number,
            attempt: to_ask.backend.ask(to_ask.ask),
            output,
            reidentifier,
            calls: Vec::new(),
            cut: None,
            asked: Instant::now(),
            first_us: None,
        })
    }

    fn stop(&mut self, attempt: u32) {
        match &mut self.running {
            Some(running) => running.attempt.stop(),
            None => self.skip(attempt, Code::NotBegun),
        }
    }

    /// Nobody is asked.
    fn skip(&mut self, attempt: u32, code: Code) {
        let ended = Ended::skipped(code);
        let mut commands = self.step(Happened::Ended { attempt, ended });
        self.commands.append(&mut commands);
    }

    /// Gives an event to the reader, unless the reader goes, the user stops it, or the time for everything is over first.
    async fn give(&mut self, event: Event) {
        let due = self.instant(self.ends_at_ms);
        tokio::select! {
            biased;
            permit = self.events.reserve() => match permit {
                Ok(permit) => permit.send(Ok(event)),
                Err(_) => self.is_cancelled = true,
            },
            () = raised(&mut self.cancelled) => self.is_cancelled = true,
            () = sleep_until(due) => {}
        }
    }

    fn instant(&self, at_ms: u64) -> Instant {
        // A day is for ever: sums with a larger number would overflow.
        let left_ms = at_ms
            .saturating_sub(self.services.clock.elapsed_ms())
            .min(24 * 3_600_000);
        Instant::now() + Duration::from_millis(left_ms)
    }
}

/// The next part of the attempt that runs. A panic ends the attempt, not the request. Without an attempt there is nothing to wait for.
async fn next(running: &mut Option<Running>) -> Part {
    let Some(running) = running else {
        return std::future::pending().await;
    };
    let mut next = running.attempt.next();
    std::future::poll_fn(
        |context| match catch_unwind(AssertUnwindSafe(|| next.as_mut().poll(context))) {
            Ok(poll) => poll,
            Err(_) => Poll::Ready(Part::end(Code::Panicked)),
        },
    )
    .await
}

/// Waits until somebody cancels; for ever when nobody can any more, since then the reader is gone too.
pub(crate) async fn raised(cancelled: &mut watch::Receiver<bool>) {
    if cancelled.wait_for(|cancelled| *cancelled).await.is_err() {
        std::future::pending::<()>().await;
    }
}
