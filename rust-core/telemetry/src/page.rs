//! The figures as one page that a browser shows without a network: no scripts, fonts, pictures or links, and a policy in its head that lets it
//! have none.

mod chart;
mod days;
mod markup;

use markup::Markup;
use whimbrel_record::size;

use crate::summary::requests;
use crate::timeline::Timeline;
use crate::words::{self, NONE, amount, count, counted, duration};
use crate::{HistogramView, Measure, Overview, PageOptions, SeriesView};

/// The policy lets a page load nothing, whatever gets into it. Its own style sheet is the exception.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";
/// So many kinds of requests show their details without being asked.
const OPEN_SERIES: usize = 3;
/// So many kinds of requests have details. They are what a page's size comes of.
const DETAILED_SERIES: usize = 24;

/// The rows of the table of times: those that share a scale, and what they are together.
const TIMES: [(&str, &[Measure]); 3] = [
    (
        "Until the first text",
        &[
            Measure::FirstToken,
            Measure::Examine,
            Measure::Decide,
            Measure::Load,
            Measure::Network,
        ],
    ),
    ("In all", &[Measure::Total, Measure::Processor]),
    ("For each token", &[Measure::PrefillToken, Measure::DecodeToken]),
];
const HISTOGRAMS: [Measure; 4] = [
    Measure::FirstToken,
    Measure::Total,
    Measure::OutputTokens,
    Measure::Energy,
];

impl Overview {
    /// A page of HTML for the person who uses the device. It is complete in itself.
    #[must_use]
    pub fn page(&self, options: &PageOptions) -> String {
        let mut markup = Markup::document();
        markup.element("html", &[("lang", "en")], |markup| {
            head(markup);
            markup.element("body", &[], |markup| {
                markup.element("main", &[], |markup| self.body(markup, options));
            });
        });
        markup.into_text()
    }

    fn body(&self, markup: &mut Markup, options: &PageOptions) {
        markup.element("header", &[], |markup| {
            markup.leaf("h1", &[], "What requests took");
            markup.leaf("p", &[("class", "lead")], &self.summary(options));
        });
        if self.requests() > 0 {
            let timeline = Timeline::of(self, options.utc_offset_s);
            self.changes_section(markup, options);
            self.days_section(markup, &timeline, options);
            self.series_section(markup, options);
            self.times_section(markup, options);
            self.failures_section(markup);
            self.energy_section(markup, options);
        } else {
            let text = "As soon as there is a request, this page says how long it took, where it was answered, \
                what it used, and what left the device.";
            markup.leaf("p", &[("class", "note")], text);
        }
        let date = options.date(options.now_ms);
        let time = words::time_of_day(options.now_ms, options.utc_offset_s);
        let host = options.host.words();
        let footer = format!("This page was made on {host}, on {date} at {time}. It was not sent anywhere.");
        markup.element("footer", &[], |markup| markup.leaf("p", &[], &footer));
    }

    fn days_section(&self, markup: &mut Markup, timeline: &Timeline, options: &PageOptions) {
        if timeline.columns.is_empty() {
            return;
        }
        let mut note = self.days_words(options);
        if !timeline.is_gapless {
            note.push_str(". Days without requests are left out");
        }
        note.push_str(". Medians are estimates, and rough on days with few requests.");
        section(markup, "By day", &note, |markup| {
            markup.element("div", &[("class", "charts")], |markup| {
                days::requests_chart(markup, timeline, options);
                days::first_text_chart(markup, timeline);
                days::speed_chart(markup, timeline, options);
                days::tokens_chart(markup, timeline);
                days::bytes_chart(markup, timeline, options);
                days::energy_chart(markup, timeline);
                days::battery_chart(markup, timeline);
            });
            markup.element("details", &[("class", "wide")], |markup| {
                markup.leaf("summary", &[], "The same as a table");
                days::days_table(markup, timeline, options);
            });
        });
    }

    fn series_section(&self, markup: &mut Markup, options: &PageOptions) {
        let note = "Times and speeds are medians. In small print stand the time below which 95 of 100 requests stayed, and the speed that as many \
            reached.";
        section(markup, "By model and task", note, |markup| {
            let columns = ["Model and task", "Requests", "First text", "Tokens/s", "Sent"];
            table(markup, "Requests by model and task", &columns, |markup| {
                for series in &self.series {
                    series_row(markup, series, options);
                }
            });
        });
    }

    fn times_section(&self, markup: &mut Markup, options: &PageOptions) {
        let note = "A thick bar ends at the median, the thin one behind it at what 95 of 100 requests stayed below. Bars of one group have one \
            scale. Every part has a median of its own, so that the parts do not add up. In the small charts, bars count answers, \
            each bar has about twice the range of the previous one, and the triangle is the median.";
        let answered: Vec<_> = self
            .series
            .iter()
            .filter(|series| !series.measures.is_empty())
            .collect();
        if answered.is_empty() {
            return;
        }
        let mut note = note.to_owned();
        if answered.len() > DETAILED_SERIES {
            note.push_str(&format!(
                " The {DETAILED_SERIES} most frequent kinds of requests are shown."
            ));
        }
        section(markup, "Where the time goes", &note, |markup| {
            for (at, series) in answered.into_iter().take(DETAILED_SERIES).enumerate() {
                let attributes = [("class", "series"), ("open", "open")];
                let shown = if at < OPEN_SERIES { 2 } else { 1 };
                markup.element("details", &attributes[..shown], |markup| {
                    series_details(markup, series, options)
                });
            }
        });
    }

    fn changes_section(&self, markup: &mut Markup, options: &PageOptions) {
        let changes = self.changes(options);
        if changes.is_empty() {
            return;
        }
        section(markup, "What has changed", "", |markup| {
            changes.iter().for_each(|words| markup.leaf("p", &[], words));
        });
    }

    fn failures_section(&self, markup: &mut Markup) {
        if self.codes.is_empty() {
            return;
        }
        section(markup, "What went wrong", "", |markup| {
            let columns = ["Why requests ended", "Requests"];
            table(markup, "Requests by the reason of their end", &columns, |markup| {
                for (code, times) in &self.codes {
                    row(markup, (code.meaning(), code.name()), &[(count(*times), String::new())]);
                }
            });
        });
    }

    fn energy_section(&self, markup: &mut Markup, options: &PageOptions) {
        if self.energy.is_empty() {
            return;
        }
        let note = format!("What answers on {} used.", options.host.words());
        section(markup, "Energy", &note, |markup| {
            let columns = ["How it is known", "Energy"];
            table(markup, "Energy by the method of finding it", &columns, |markup| {
                for energy in &self.energy {
                    let words = sentence(&words::method(&energy.method));
                    let is_known = !words.eq_ignore_ascii_case(energy.method.as_str());
                    let (words, method) = match is_known {
                        true => (words.as_str(), energy.method.as_str()),
                        false => (energy.method.as_str(), ""),
                    };
                    let figure = words::energy_of_battery(energy.millijoules);
                    row(markup, (words, method), &[(figure, String::new())]);
                }
            });
        });
    }
}

fn head(markup: &mut Markup) {
    markup.element("head", &[], |markup| {
        markup.empty("meta", &[("charset", "utf-8")]);
        let policy = [("http-equiv", "Content-Security-Policy"), ("content", POLICY)];
        markup.empty("meta", &policy);
        let viewport = [("name", "viewport"), ("content", "width=device-width, initial-scale=1")];
        markup.empty("meta", &viewport);
        markup.empty("meta", &[("name", "color-scheme"), ("content", "light dark")]);
        markup.leaf("title", &[], "What requests took");
        markup.style(include_str!("page/style.css"));
    });
}

fn section(markup: &mut Markup, title: &str, note: &str, content: impl FnOnce(&mut Markup)) {
    markup.element("section", &[], |markup| {
        markup.leaf("h2", &[], title);
        if !note.is_empty() {
            markup.leaf("p", &[("class", "note")], note);
        }
        content(markup);
    });
}

/// A table whose first column is words, and all others figures.
fn table(markup: &mut Markup, caption: &str, columns: &[&str], rows: impl FnOnce(&mut Markup)) {
    markup.element("table", &[("class", "figures")], |markup| {
        markup.leaf("caption", &[], caption);
        markup.element("thead", &[], |markup| {
            markup.element("tr", &[], |markup| {
                for column in columns {
                    markup.leaf("th", &[("scope", "col")], column);
                }
            });
        });
        markup.element("tbody", &[], rows);
    });
}

/// Every cell has a line in small print, which may be empty.
fn row(markup: &mut Markup, heading: (&str, &str), cells: &[(String, String)]) {
    let lines = |markup: &mut Markup, text: &str, small: &str| {
        markup.text(text);
        if !small.is_empty() {
            markup.leaf("small", &[], small);
        }
    };
    markup.element("tr", &[], |markup| {
        markup.element("th", &[("scope", "row")], |markup| lines(markup, heading.0, heading.1));
        for (text, small) in cells {
            markup.element("td", &[], |markup| lines(markup, text, small));
        }
    });
}

fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_uppercase());
    first.into_iter().flatten().chain(characters).collect()
}

fn series_row(markup: &mut Markup, series: &SeriesView, options: &PageOptions) {
    let total = requests(&series.outcomes);
    let answered = series.outcomes.answered.saturating_add(series.outcomes.given_again);
    let without = match total.saturating_sub(answered) {
        0 => String::new(),
        missing => format!("{} not answered", count(missing)),
    };
    let (first_text, first_text_p95) = match series.measure(Measure::FirstToken) {
        Some(view) => (duration(view.median), duration(view.p95)),
        None => (NONE.to_owned(), String::new()),
    };
    let (speed, slow) = match series.measure(Measure::DecodeToken) {
        Some(view) => (amount(1e6 / view.median), amount(1e6 / view.p95)),
        None => (NONE.to_owned(), String::new()),
    };
    let sent = match series.bytes_out {
        0 => "0".to_owned(),
        bytes => size(bytes),
    };
    let cells = [
        (count(total), without),
        (first_text, first_text_p95),
        (speed, slow),
        (sent, String::new()),
    ];
    let kind = series.kind_words(options.host);
    row(markup, (&series.model_words(), &kind), &cells);
}

fn series_details(markup: &mut Markup, series: &SeriesView, options: &PageOptions) {
    let name = series.model_words();
    markup.element("summary", &[], |markup| {
        markup.leaf("strong", &[], &name);
        markup.text(" ");
        let requests = counted(requests(&series.outcomes), "request");
        let text = format!("{}: {requests}", series.kind_words(options.host));
        markup.leaf("span", &[], &text);
    });
    markup.leaf("p", &[], &facts(series, options));
    times_table(markup, series, &name);
    markup.element("div", &[("class", "histograms")], |markup| {
        for view in HISTOGRAMS.iter().filter_map(|measure| series.measure(*measure)) {
            let title = words::measure(view.measure);
            let median = words::value(view.unit, view.median);
            let least = words::value(view.unit, view.min as f64);
            let most = words::value(view.unit, view.max as f64);
            let answers = counted(view.count, "answer");
            let description = format!("Histogram of {answers}: median {median}, from {least} to {most}.");
            markup.element("figure", &[], |markup| {
                markup.element("figcaption", &[], |markup| {
                    markup.leaf("h3", &[], title);
                    markup.leaf("p", &[], &format!("Median {median}"));
                });
                chart::histogram(markup, view, title, &description);
            });
        }
    });
}

/// What is known of a kind of requests besides its times.
fn facts(series: &SeriesView, options: &PageOptions) -> String {
    let mut parts = vec![format!("{}.", sentence(&words::outcomes(&series.outcomes)))];
    if series.bytes_out > 0 || series.bytes_in > 0 {
        let (sent, received) = (size(series.bytes_out), size(series.bytes_in));
        parts.push(format!("{sent} left {}, {received} came back.", options.host.words()));
    }
    let tokens = |measure| series.measure(measure).map(|view| words::value(view.unit, view.median));
    if let (Some(input), Some(output)) = (tokens(Measure::InputTokens), tokens(Measure::OutputTokens)) {
        parts.push(format!(
            "Half of the prompts had up to {input} tokens, half of the answers up to {output}."
        ));
    }
    if series.memory_bytes_max > 0 {
        let memory = size(series.memory_bytes_max);
        parts.push(format!("The app used {memory} of memory at most."));
    }
    if let Some(class) = series.device {
        parts.push(format!("The device has {}.", words::device(class)));
    }
    parts.join(" ")
}

fn times_table(markup: &mut Markup, series: &SeriesView, name: &str) {
    markup.element("table", &[("class", "times")], |markup| {
        markup.leaf("caption", &[], &format!("Times of {name}"));
        markup.element("thead", &[], |markup| {
            markup.element("tr", &[], |markup| {
                for column in ["Part", "Scale", "Median", "95 %"] {
                    markup.leaf("th", &[("scope", "col")], column);
                }
            });
        });
        for (group, measures) in TIMES {
            let views: Vec<_> = measures.iter().filter_map(|measure| series.measure(*measure)).collect();
            if views.is_empty() {
                continue;
            }
            let most = views.iter().map(|view| view.p95).fold(0.0, f64::max);
            markup.element("tbody", &[], |markup| {
                markup.element("tr", &[], |markup| {
                    markup.leaf("th", &[("scope", "rowgroup"), ("colspan", "4")], group);
                });
                for view in views {
                    times_row(markup, view, most);
                }
            });
        }
    });
}

fn times_row(markup: &mut Markup, view: &HistogramView, most: f64) {
    let (median, p95) = (words::value(view.unit, view.median), words::value(view.unit, view.p95));
    let title = format!("Median {median}, 95 % below {p95}");
    markup.element("tr", &[], |markup| {
        markup.leaf("th", &[("scope", "row")], words::measure(view.measure));
        markup.element("td", &[], |markup| {
            chart::meter(markup, &title, view.median, view.p95, most);
        });
        markup.leaf("td", &[], &median);
        markup.leaf("td", &[], &p95);
    });
}

impl SeriesView {
    /// The values of a measure, if it has any.
    #[must_use]
    pub fn measure(&self, measure: Measure) -> Option<&HistogramView> {
        self.measures.iter().find(|view| view.measure == measure)
    }
}
