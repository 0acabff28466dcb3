//! The last day, hour by hour, as a picture: webhooks in, records out. The numbers stand in a table below it, for those who do
//! not see the picture.

use jiff::Timestamp;
use maud::{Markup, html};

use super::words::Language;

/// How many hours it shows.
pub(super) const HOURS: usize = 24;

/// An hour, and a bar, and the picture, in its own units.
const STEP: usize = 20;
const BAR: usize = 8;
const HEIGHT: usize = 80;

const SECONDS: i64 = 60 * 60;

/// How much happened in each hour, the latest last.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Flow {
    /// Webhooks that came.
    pub(super) webhooks: Vec<i64>,
    /// Deals that got their record.
    pub(super) records: Vec<i64>,
}

/// When the first hour of the chart begins that ends `now`.
pub(super) fn begin(now: Timestamp) -> Timestamp {
    let hour = now.as_second().div_euclid(SECONDS) + 1 - HOURS as i64;
    Timestamp::from_second(hour * SECONDS).unwrap_or(now)
}

/// Each hour from `begin` on, of counts by their hour since 1970.
pub(super) fn hours(begin: Timestamp, counted: &[(i64, i64)]) -> Vec<i64> {
    let first = begin.as_second().div_euclid(SECONDS);
    let mut hours = vec![0; HOURS];
    for (hour, count) in counted {
        if let Some(place) = usize::try_from(hour - first).ok().and_then(|at| hours.get_mut(at)) {
            *place = *count;
        }
    }
    hours
}

/// The picture, and its numbers.
pub(super) fn chart(language: Language, begin: Timestamp, flow: &Flow) -> Markup {
    let say = |text| language.say(text);
    let (webhooks, records) = (flow.webhooks.iter().sum::<i64>(), flow.records.iter().sum::<i64>());
    let (in_word, out_word) =
        (say(["Webhooks in", "Пришло вебхуков"]), say(["Records out", "Создано записей"]));
    let label = format!(
        "{}: {in_word} {webhooks}, {out_word} {records}",
        say(["The last 24 hours", "Последние 24 часа"])
    );
    let most = flow.webhooks.iter().chain(&flow.records).copied().max().unwrap_or_default().max(1);
    // One is seen beside a thousand.
    let height = |count: i64| {
        let height = HEIGHT as i64 * count / most;
        usize::try_from(height).unwrap_or_default().max(2)
    };
    let bars = |counts: &[i64], at: usize, class: &str| {
        html! {
            @for (hour, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
                rect class=(class) x=(hour * STEP + at) y=(HEIGHT - height(*count)) width=(BAR) height=(height(*count)) {}
            }
        }
    };
    let hour = |place: usize| {
        let at = begin.as_second() + place as i64 * SECONDS;
        let at = Timestamp::from_second(at).unwrap_or(begin);
        html! { time datetime=(format!("{at:.0}")) { (at.strftime("%H:%M")) } }
    };
    html! {
        figure {
            figcaption {
                span.key.in { (in_word) ": " (webhooks) } " "
                span.key.out { (out_word) ": " (records) }
            }
            svg viewBox={ "0 0 " (HOURS * STEP) " " (HEIGHT + 1) } role="img" aria-label=(label) preserveAspectRatio="none" {
                line x1="0" x2=(HOURS * STEP) y1=(HEIGHT) y2=(HEIGHT) {}
                (bars(&flow.webhooks, 1, "in"))
                (bars(&flow.records, 1 + BAR, "out"))
            }
            div.hours aria-hidden="true" {
                @for place in [0, 6, 12, 18] { span { (hour(place)) } }
                span { (say(["now, UTC", "сейчас, UTC"])) }
            }
            details {
                summary { (say(["The numbers", "Числа"])) }
                table {
                    thead { tr {
                        th scope="col" { (say(["Hour from", "Час с"])) }
                        th scope="col" { (in_word) }
                        th scope="col" { (out_word) }
                    } }
                    tbody {
                        @for (place, (came, made)) in flow.webhooks.iter().zip(&flow.records).enumerate() {
                            @if *came > 0 || *made > 0 {
                                tr { th scope="row" { (hour(place)) } td { (came) } td { (made) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Flow, HOURS, begin, chart, hours};
    use crate::admin::page::words::Language;

    #[test]
    fn each_hour_has_its_place_and_what_is_older_has_none() {
        let begin = begin("2026-11-26T10:59:59Z".parse().unwrap());
        assert_eq!(begin.to_string(), "2026-11-25T11:00:00Z");
        let hour = begin.as_second() / 3600;
        let shown = hours(begin, &[(hour - 1, 9), (hour, 1), (hour + 23, 7), (hour + 24, 9)]);
        assert_eq!((shown.len(), shown[0], shown[23]), (HOURS, 1, 7));
        assert_eq!(shown.iter().sum::<i64>(), 8);
    }

    #[test]
    fn the_highest_bar_fills_the_picture_and_none_vanishes() {
        let begin = begin("2026-11-26T10:59:59Z".parse().unwrap());
        let mut flow = Flow { webhooks: vec![0; HOURS], records: vec![0; HOURS] };
        let bars = |flow: &Flow| chart(Language::English, begin, flow).into_string();
        assert_eq!(bars(&flow).matches("<rect").count(), 0);
        (flow.webhooks[1], flow.records[2]) = (1000, 1);
        let svg = bars(&flow);
        assert_eq!(svg.matches("<rect").count(), 2);
        assert!(svg.contains(r#"class="in" x="21" y="0" width="8" height="80""#), "{svg}");
        assert!(svg.contains(r#"class="out" x="49" y="78" width="8" height="2""#), "{svg}");
        assert!(svg.contains("The last 24 hours: Webhooks in 1000, Records out 1"), "{svg}");
    }
}
