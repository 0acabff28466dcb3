//! Collects the mistakes of a function, so that all are reported at once.
//!
//! The server answers "at least one function is invalid" to some mistakes (P-070), and accepts others only to hang
//! on them later (P-084, P-085). So they are found here, each with the function and the setting it is in.

mod expression;

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::duration::wire_duration;
pub(crate) use expression::{Purpose, flaw, looks_at_event, placeholders};

/// The mistakes of one function.
pub(crate) struct Mistakes<'a> {
    function: &'a str,
    all: &'a mut Vec<String>,
}

impl<'a> Mistakes<'a> {
    pub(crate) fn of(function: &'a str, all: &'a mut Vec<String>) -> Self {
        Self { function, all }
    }

    /// Something is wrong with `setting`.
    pub(crate) fn add(&mut self, setting: &str, problem: impl Display) {
        self.all.push(format!("function `{}`: {setting} {problem}", self.function));
    }

    pub(crate) fn at_least(&mut self, setting: &str, value: u32, least: u32) {
        if value < least {
            self.add(setting, format_args!("is {value}; at least {least}"));
        }
    }

    pub(crate) fn at_most(&mut self, setting: &str, value: usize, most: usize) {
        if value > most {
            self.add(setting, format_args!("has {value} entries; at most {most}"));
        }
    }

    /// A duration that must last.
    pub(crate) fn positive(&mut self, setting: &str, value: Duration) {
        if value.is_zero() {
            self.add(setting, "is zero");
        }
    }

    pub(crate) fn within(
        &mut self,
        setting: &str,
        value: Duration,
        range: &RangeInclusive<Duration>,
    ) {
        if !range.contains(&value) {
            let [value, start, end] = [value, *range.start(), *range.end()].map(wire_duration);
            self.add(setting, format_args!("is {value}; {start} to {end} are allowed"));
        }
    }

    /// An expression that the server must be able to compile.
    pub(crate) fn expression(&mut self, setting: &str, expression: Option<&str>) {
        self.expression_for(Purpose::Any, setting, expression);
    }

    /// The same where the server takes less.
    pub(crate) fn expression_for(
        &mut self,
        purpose: Purpose,
        setting: &str,
        expression: Option<&str>,
    ) {
        if let Some(text) = expression
            && let Some(flaw) = flaw(text, purpose)
        {
            self.add(setting, format_args!("`{text}` is no expression: {flaw}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Mistakes;

    #[test]
    fn a_mistake_names_function_and_setting() {
        let mut all = Vec::new();
        let mut mistakes = Mistakes::of("fn", &mut all);
        mistakes.at_least("a.limit", 0, 1);
        mistakes.at_least("a.limit", 1, 1);
        let range = Duration::from_secs(1)..=Duration::from_secs(2);
        mistakes.within("b.period", Duration::from_millis(500), &range);
        mistakes.expression("c.key", Some("event.data.x"));
        mistakes.expression("c.key", Some("(event.data.x"));
        mistakes.expression("c.key", None);
        assert_eq!(
            all,
            [
                "function `fn`: a.limit is 0; at least 1",
                "function `fn`: b.period is 500ms; 1s to 2s are allowed",
                "function `fn`: c.key `(event.data.x` is no expression: `(` is never closed",
            ]
        );
    }
}
