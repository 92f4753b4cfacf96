//! Whether a place that the rules allow is available now and within the limits, and its expected cost and time.

use whimbrel_privacy::Release;

use super::input::RouteInput;
use super::what::What;
use crate::device::{DeviceView, Network};
use crate::document::policy::{Endpoint, Limits};
use crate::plan::{Bounds, Budget, Expected};
use crate::refusal::Refusal;
use crate::request::{Availability, Circuit, LocalModelFacts, Need, SystemModelFacts};

/// Bytes of a request beside its text: headers, the encryption's handshake, JSON around the messages.
const REQUEST_BYTES: u64 = 8_000;
/// Bytes in which one token of a streamed answer arrives: an event with its JSON.
const STREAMED_BYTES_A_TOKEN: u64 = 300;

/// What feasibility is judged by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Feasibility<'a> {
    pub(super) input: &'a RouteInput<'a>,
    pub(super) view: &'a DeviceView,
    pub(super) limits: &'a Limits,
    pub(super) bounds: &'a Bounds,
}

/// What it would take, or why it cannot be done.
pub(super) fn refusal(what: &What<'_>, judge: &Feasibility<'_>) -> Result<Expected, Refusal> {
    match what {
        What::Local(local) => judge.local(local),
        What::System(system) => judge.system(system),
        What::Remote(endpoint, release) => judge.remote(endpoint, *release),
    }
}

impl Feasibility<'_> {
    /// What is left for this request.
    pub(super) fn budget(&self) -> Budget {
        let used = self.input.used_today;
        let left = |limit: Option<u64>, used: u64| limit.map(|limit| limit.saturating_sub(used));
        let of_day = left(self.limits.cost_a_day_micros, used.cost_micros);
        let of_request = self.limits.cost_a_request_micros;
        Budget {
            cost_micros: of_day.into_iter().chain(of_request).min(),
            network_bytes: left(self.limits.metered_bytes_a_day, used.metered_bytes).filter(|_| self.view.is_metered()),
        }
    }

    fn local(&self, local: &LocalModelFacts) -> Result<Expected, Refusal> {
        if !local.ready {
            return Err(Refusal::NotReady);
        }
        self.needs(&local.supports)?;
        self.context(local.context_tokens)?;
        if let (Some(needed_bytes), Some(usable_bytes)) = (local.peak_memory_bytes, self.view.memory_usable_bytes())
            && needed_bytes > usable_bytes
        {
            return Err(Refusal::Memory {
                needed_bytes,
                usable_bytes,
            });
        }
        self.computing()?;
        self.latency(local.first_token_ms, local.tokens_per_s)
    }

    fn system(&self, system: &SystemModelFacts) -> Result<Expected, Refusal> {
        if system.availability != Availability::Available {
            return Err(Refusal::NotReady);
        }
        self.needs(&system.supports)?;
        self.context(system.context_tokens)?;
        self.computing()?;
        self.latency(system.first_token_ms, system.tokens_per_s)
    }

    fn remote(&self, endpoint: &Endpoint, release: Release) -> Result<Expected, Refusal> {
        let content = self.input.content;
        let class_max = match release {
            Release::AsIs => endpoint.class_max,
            Release::Redacted => endpoint.class_max_redacted,
        };
        if content.class > class_max {
            let class = content.class;
            return Err(Refusal::ClassAboveEndpoint { class, class_max });
        }
        if self.view.network == Some(Network::None) {
            return Err(Refusal::Offline);
        }
        let measured = self
            .input
            .candidates
            .endpoints
            .iter()
            .find(|facts| *facts.id == *endpoint.id);
        if measured.is_some_and(|facts| facts.circuit == Circuit::Open) {
            return Err(Refusal::CircuitOpen);
        }
        self.needs(&endpoint.supports)?;
        self.context(endpoint.context_tokens)?;
        let cost_micros = self.cost(endpoint)?;
        let network_bytes = self.network_bytes()?;
        let first_token_ms = measured.and_then(|facts| facts.first_token_ms);
        let expected = self.latency(first_token_ms, measured.and_then(|facts| facts.tokens_per_s))?;
        Ok(Expected {
            cost_micros,
            network_bytes,
            ..expected
        })
    }

    fn needs(&self, supports: &[Need]) -> Result<(), Refusal> {
        let missing = self.input.request.needs.iter().find(|need| !supports.contains(need));
        missing.map_or(Ok(()), |need| Err(Refusal::Lacks { need: *need }))
    }

    fn context(&self, context_tokens: Option<u32>) -> Result<(), Refusal> {
        let request = self.input.request;
        let tokens = u64::from(request.prompt_tokens) + u64::from(request.answer_tokens_max);
        match context_tokens {
            Some(context_tokens) if tokens > u64::from(context_tokens) => {
                Err(Refusal::ContextTooShort { tokens, context_tokens })
            }
            _ => Ok(()),
        }
    }

    /// Battery and heat. Unknown readings refuse nothing: that would push the text out of the device.
    fn computing(&self) -> Result<(), Refusal> {
        if let (Some(percent_min), Some(percent)) = (self.limits.battery_percent_min, self.view.battery_percent)
            && percent < percent_min
            && self.view.charging != Some(true)
        {
            return Err(Refusal::Battery { percent, percent_min });
        }
        match (self.limits.thermal_max, self.view.thermal) {
            (Some(max), Some(thermal)) if thermal > max => Err(Refusal::Thermal),
            _ => Ok(()),
        }
    }

    fn latency(&self, first_token_ms: Option<u32>, tokens_per_s: Option<f32>) -> Result<Expected, Refusal> {
        let first_token_ms = first_token_ms.map(u64::from);
        let deadline_ms = self.bounds.deadline_ms;
        if let Some(first_token_ms) = first_token_ms.filter(|first| *first > deadline_ms) {
            return Err(Refusal::TooSlow {
                first_token_ms,
                deadline_ms,
            });
        }
        let speed = tokens_per_s.filter(|speed| speed.is_finite() && *speed > 0.0);
        let tokens = f64::from(self.input.request.answer_tokens_max);
        let total_ms = first_token_ms.zip(speed).map(|(first, speed)| {
            // A float beyond the range becomes the highest number.
            first.saturating_add((tokens / f64::from(speed) * 1e3) as u64)
        });
        Ok(Expected {
            first_token_ms,
            total_ms,
            ..Expected::default()
        })
    }

    fn cost(&self, endpoint: &Endpoint) -> Result<u64, Refusal> {
        let request = self.input.request;
        let part = |tokens: u32, per_1k: u64| (u64::from(tokens).saturating_mul(per_1k)).div_ceil(1000);
        let prompt = part(request.prompt_tokens, endpoint.prompt_cost_per_1k_micros);
        let cost = prompt.saturating_add(part(request.answer_tokens_max, endpoint.answer_cost_per_1k_micros));
        if let Some(cost_micros_max) = self.limits.cost_a_request_micros.filter(|max| cost > *max) {
            return Err(Refusal::CostOfRequest {
                cost_micros: cost,
                cost_micros_max,
            });
        }
        let day = self.input.used_today.cost_micros.saturating_add(cost);
        match self.limits.cost_a_day_micros {
            // What is free is never too dear.
            Some(cost_micros_max) if day > cost_micros_max && cost > 0 => Err(Refusal::CostOfDay {
                cost_micros: day,
                cost_micros_max,
            }),
            _ => Ok(cost),
        }
    }

    /// Bytes both ways.
    fn network_bytes(&self) -> Result<u64, Refusal> {
        let answer = u64::from(self.input.request.answer_tokens_max) * STREAMED_BYTES_A_TOKEN;
        let bytes = self.input.content.text_bytes.saturating_add(answer + REQUEST_BYTES);
        let day = self.input.used_today.metered_bytes.saturating_add(bytes);
        match self.limits.metered_bytes_a_day {
            Some(bytes_max) if self.view.is_metered() && day > bytes_max => {
                Err(Refusal::MeteredBytes { bytes: day, bytes_max })
            }
            _ => Ok(bytes),
        }
    }
}
