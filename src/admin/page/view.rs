//! The overview.

use functions::ports::WaitsFor;
use http::StatusCode;
use jiff::Timestamp;
use maud::{Markup, html};

use super::headline::Headline;
use super::layout::Shown;
use super::neighbours::{Health, Renewal};
use super::overview::Overview;
use super::words::{Language, Text};
use super::{Page, card, chart};
use crate::admin::Item;

/// The page of the whole.
pub(super) fn overview(page: &Page, language: Language, all: &Overview) -> Shown {
    let say = |text| language.say(text);
    let headline = Headline::of(page, language, all);
    let (yours, others): (Vec<&Item>, Vec<_>) =
        all.items.iter().partition(|item| item.needs_person);
    let said = all.failing().map(|(_, trouble)| trouble.problem.as_str());
    let body = html! {
        div class={ "headline " (headline.mood) } {
            h1 { (headline.title) }
            (headline.text)
        }
        (facts(language, all))
        @if !yours.is_empty() {
            h2 { (say(["These need you", "Здесь нужны вы"])) }
            (card::cards(page, language, &yours, None))
        }
        @if !others.is_empty() {
            h2 { (say(["On their way", "В пути"])) }
            (card::cards(page, language, &others, said))
        }
        @if !all.complete {
            p.more {
                (say(["There are more than the", "Их больше, чем показанные"])) " " (all.items.len()) " "
                (say(["shown.", "."])) " "
                a href="/?all=1" { (say(["Show them all", "Показать все"])) } " · "
                (say(["or find one by its lead above; also:", "или найдите нужную по номеру сделки; также:"])) " "
                code { "prometei-flow deals" }
            }
        }
        h2 { (say(["The last 24 hours", "Последние 24 часа"])) }
        (chart::chart(language, all.begin, &all.flow))
        h2 { (say(["Systems", "Системы"])) }
        (systems(page, language, all))
        @if !page.warnings.is_empty() {
            h2 { (say(["Probably not intended", "Вероятно, не то, что нужно"])) }
            ul.warnings { @for warning in &page.warnings { li { (warning) } } }
        }
        h2 { (say(["Background work", "Фоновая работа"])) }
        (loops(language, all))
        p.muted { (say(["As of", "По состоянию на"])) " " (time(all.now)) ". "
            a href="/" { (say(["Load again", "Обновить"])) } }
    };
    Shown { status: StatusCode::OK, title: headline.title, body }
}

fn facts(language: Language, all: &Overview) -> Markup {
    let say = |text| language.say(text);
    let ago = |time: Option<Timestamp>| {
        let none = || say(["none so far", "ещё не было"]).to_owned();
        time.map_or_else(none, |time| language.ago(all.now.duration_since(time).as_secs()))
    };
    let waits = waiting(language, all);
    let unfinished: i64 = all.unfinished().map(|it| it.deals).sum();
    let facts = [
        (["Last webhook", "Последний вебхук"], ago(all.inbox.newest_body), String::new()),
        (["Waiting now", "Сейчас ждут"], unfinished.to_string(), waits.join(", ")),
        (["Last record", "Последняя запись"], ago(all.last_record), String::new()),
        (["Records made", "Всего записей"], all.done().to_string(), String::new()),
    ];
    html! {
        dl.facts {
            @for (name, value, more) in facts {
                div { dt { (say(name)) } dd { (value) @if !more.is_empty() { small { (more) } } } }
            }
        }
    }
}

/// What deals wait for, and how many.
fn waiting(language: Language, all: &Overview) -> Vec<String> {
    let held = all.inbox.waiting;
    let mut waits = Vec::new();
    let mut add = |deals: i64, what: Text| {
        if deals > 0 {
            waits.push(format!("{deals} {}", language.say(what)));
        }
    };
    let deals = |waits_for: Option<WaitsFor>| -> i64 {
        all.unfinished().filter(|it| it.waits_for == waits_for).map(|it| it.deals).sum()
    };
    add(deals(Some(WaitsFor::Person)), ["for you", "вас"]);
    add(deals(Some(WaitsFor::Erp)), ["for the ERP", "ERP"]);
    add(deals(Some(WaitsFor::AmoCrm)), ["for amoCRM", "amoCRM"]);
    add(deals(Some(WaitsFor::Consent)), ["for a consent", "согласия"]);
    add(deals(None).saturating_sub(held), ["under way", "в работе"]);
    add(held, ["for Inngest", "Inngest"]);
    if let Some(oldest) = all.unfinished().filter_map(|it| it.oldest).min() {
        let age = language.length(all.now.duration_since(oldest).as_secs());
        waits.push(format!("{} {age}", language.say(["the oldest", "самая старая"])));
    }
    waits
}

fn systems(page: &Page, language: Language, all: &Overview) -> Markup {
    let say = |text| language.say(text);
    html! {
        table {
            tbody {
                @for neighbour in &all.neighbours {
                    tr {
                        th scope="row" { (say(neighbour.name)) }
                        td { (health(page, language, all.now, &neighbour.health)) }
                    }
                }
                @if let Some(behind) = all.behind {
                    tr {
                        th scope="row" { (say(["Reconciliation", "Сверка"])) }
                        td { (say(["has read up to", "прочитано до"])) " " (language.ago(behind)) }
                    }
                }
                @if let Some(skew) = all.skew {
                    tr {
                        th scope="row" { (say(["Clock", "Часы"])) }
                        td { (say(["differs from the database's by", "расходятся с базой данных на"])) " "
                            (language.length(skew.abs())) }
                    }
                }
                @if all.inbox.unparsable > 0 {
                    tr {
                        th scope="row" { (say(["Unreadable webhooks", "Нечитаемые вебхуки"])) }
                        td { (all.inbox.unparsable) " · " code { "prometei-flow deals" } " "
                            (say(["names them", "назовёт их"])) }
                    }
                }
            }
        }
    }
}

fn health(page: &Page, language: Language, now: Timestamp, health: &Health) -> Markup {
    let say = |text| language.say(text);
    let works = html! { span.good { "✓ " (say(["works", "работает"])) } };
    let fails = html! { span.bad { "✗ " (say(["does not work", "не работает"])) } };
    match health {
        Health::Works => works,
        Health::WorksUntil(until, renewal) => {
            let left = language.length(until.duration_since(now).as_secs());
            html! {
                (works) ", "
                (say(["its token ends in", "токен действует ещё"])) " " (left)
                @match renewal {
                    Renewal::ByItself => { ", " (say(["and is renewed by itself", "обновится сам"])) }
                    Renewal::ByAPerson => {
                        " (" (time(*until)) "): "
                        (say(["create the next one before that", "создайте новый до этого"]))
                    }
                }
            }
        }
        Health::Fails(trouble) => html! { (fails) ": " (trouble.problem) " → " (trouble.remedy) },
        Health::NeedsConsent(trouble) => html! {
            (fails) ": " (trouble.problem) " → " (trouble.remedy)
            @if let Some(consent) = &page.links.consent {
                " " a href=(consent) { (say(["Connect amoCRM", "Подключить amoCRM"])) }
            }
        },
    }
}

fn loops(language: Language, all: &Overview) -> Markup {
    html! {
        table {
            tbody {
                @for age in &all.loops {
                    tr {
                        th scope="row" { (loop_name(language, age.name)) }
                        td {
                            span.bad[age.is_late] {
                                (language.say(["last round", "последний круг"])) " "
                                (language.ago(i64::try_from(age.age.as_secs()).unwrap_or(i64::MAX)))
                                @if age.is_late { " — " (language.say(["late", "опаздывает"])) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn loop_name(language: Language, name: &'static str) -> &'static str {
    let russian = match name {
        "forwarder" => "отправка в Inngest",
        "registration" => "регистрация в Inngest",
        "resender" => "повторная отправка",
        "clean-up" => "уборка",
        "health check" => "проверка amoCRM",
        "database clock" => "часы базы данных",
        other => other,
    };
    language.say([name, russian])
}

/// A time, for people and programs.
pub(super) fn time(time: Timestamp) -> Markup {
    html! { time datetime=(format!("{time:.0}")) { (time.strftime("%Y-%m-%d %H:%M:%S")) " UTC" } }
}
