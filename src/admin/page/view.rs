//! The overview.

use http::StatusCode;
use jiff::Timestamp;
use maud::{Markup, html};

use super::Page;
use super::layout::Shown;
use super::overview::Overview;
use super::words::Language;
use crate::admin::Item;

/// The page of the whole.
pub(super) fn overview(page: &Page, language: Language, all: &Overview) -> Shown {
    let say = |text| language.say(text);
    let (yours, others): (Vec<_>, Vec<_>) = all.items.iter().partition(|item| item.needs_person);
    let body = html! {
        (facts(language, all))
        @for warning in &page.warnings { p { span.bad { "! " } (warning) } }
        @if !yours.is_empty() {
            h2 { (say(["These need you", "Здесь нужны вы"])) }
            (deals(page, language, &yours))
        }
        @if !others.is_empty() {
            h2 { (say(["On their way", "В пути"])) }
            (deals(page, language, &others))
        }
        h2 { (say(["Systems", "Системы"])) }
        (systems(page, language, all))
        h2 { (say(["Loops", "Циклы"])) }
        (loops(language, all))
        p.muted { (say(["As of", "По состоянию на"])) " " (time(all.now)) ". "
            a href="/" { (say(["Load again", "Обновить"])) } }
    };
    Shown { status: StatusCode::OK, title: headline(language, all), body }
}

/// The one sentence for those who have five seconds.
fn headline(language: Language, all: &Overview) -> String {
    let yours = all.needing_person();
    match language {
        Language::English if yours == 1 => "1 deal needs you".to_owned(),
        Language::English if yours > 0 => format!("{yours} deals need you"),
        Language::Russian if yours > 0 => format!("Нужны вы: сделок {yours}"),
        Language::English if all.is_well() => "Deals flow".to_owned(),
        Language::Russian if all.is_well() => "Сделки идут".to_owned(),
        Language::English => "Deals wait, and go on by themselves".to_owned(),
        Language::Russian => "Сделки ждут и пойдут сами".to_owned(),
    }
}

fn facts(language: Language, all: &Overview) -> Markup {
    let say = |text| language.say(text);
    let ago = |time: Option<Timestamp>| {
        let none = || say(["none kept", "нет"]).to_owned();
        time.map_or_else(none, |time| {
            let length = language.length(all.now.duration_since(time).as_secs());
            match language {
                Language::English => format!("{length} ago"),
                Language::Russian => format!("{length} назад"),
            }
        })
    };
    let facts = [
        (["Last webhook", "Последний вебхук"], ago(all.inbox.newest_body)),
        (["Have their record", "Записано в ERP"], all.deals.done.to_string()),
        (["On their way", "В пути"], all.deals.unfinished.to_string()),
        (["Wait for Inngest", "Ждут Inngest"], all.inbox.waiting.to_string()),
        (["In doubt", "Под вопросом"], all.deals.in_doubt.to_string()),
        (["Oldest on its way", "Самая старая в пути"], ago(all.deals.oldest_unfinished)),
        (["Unreadable webhooks", "Нечитаемые вебхуки"], all.inbox.unparsable.to_string()),
    ];
    html! {
        dl.facts {
            @for (name, value) in facts { div { dt { (say(name)) } dd { (value) } } }
        }
    }
}

/// Deals, each with what happens next or what a person must do.
pub(super) fn deals(page: &Page, language: Language, items: &[&Item]) -> Markup {
    html! {
        ul.deals {
            @for item in items {
                li {
                    p { strong { (name(page, language, item.lead, &item.key)) } " · " (item.state) " · "
                        span.muted { (item.since) } }
                    (next(page, language, item))
                }
            }
        }
    }
}

/// Why a deal is where it is, what happens next, and what a person can do.
pub(super) fn next(page: &Page, language: Language, item: &Item) -> Markup {
    html! {
        @if let Some(reason) = page.reason(item) { p { (reason) } }
        p { "→ " (item.next) }
        (acts(language, item))
    }
}

/// What a person can do about a deal.
fn acts(language: Language, item: &Item) -> Markup {
    let all = [
        ("retry", ["Send again", "Отправить снова"]),
        ("resolve", ["I looked in the ERP", "Я проверил в ERP"]),
        ("dismiss", ["Needs no record", "Запись не нужна"]),
    ];
    // A deal in doubt is not sent again before a person has looked.
    let acts = all.into_iter().filter(|(act, _)| match *act {
        "retry" => item.needs_person && !item.is_in_doubt(),
        "resolve" => item.is_in_doubt(),
        _ => true,
    });
    html! {
        div.acts {
            @for (act, label) in acts {
                form action="/act" method="get" {
                    input type="hidden" name="do" value=(act);
                    input type="hidden" name="deal" value=(item.key);
                    button aria-label={ (language.say(label)) ": " (item.key) } { (language.say(label)) }
                }
            }
        }
    }
}

/// The deal as a person calls it, with the ways to it.
pub(super) fn name(page: &Page, language: Language, lead: Option<i64>, key: &str) -> Markup {
    let Some(lead) = lead else {
        let run = key.trim_start_matches("run:");
        return html! { a href={ "/?q=" (run) } { (language.say(["Run", "Запуск"])) " " (run) } };
    };
    let amocrm = page
        .links
        .amocrm
        .as_ref()
        .and_then(|base| base.join(&format!("/leads/detail/{lead}")).ok());
    html! {
        a href={ "/?q=" (lead) } { (language.say(["Lead", "Сделка"])) " " (lead) }
        @if let Some(url) = amocrm {
            " (" a href=(url) rel="noreferrer" { (language.say(["in amoCRM", "в amoCRM"])) } ")"
        }
    }
}

fn systems(page: &Page, language: Language, all: &Overview) -> Markup {
    let say = |text| language.say(text);
    html! {
        table {
            tbody {
                @for neighbour in &all.neighbours {
                    tr {
                        th scope="row" { (say(neighbour.name)) }
                        td {
                            @match &neighbour.problem {
                                None => span.good { (say(["works", "работает"])) },
                                Some(problem) => {
                                    span.bad { (say(["does not work", "не работает"])) } ": " (problem)
                                }
                            }
                            @if neighbour.name[0] == "amoCRM" && neighbour.problem.is_some()
                                && let Some(consent) = &page.links.consent {
                                " " a href=(consent) { (say(["Connect amoCRM", "Подключить amoCRM"])) }
                            }
                        }
                    }
                }
                @if let Some(behind) = all.behind {
                    tr {
                        th scope="row" { (say(["Reconciliation", "Сверка"])) }
                        td { (say(["has read up to", "прочитано до"])) " " (language.length(behind)) " "
                            (say(["ago", "назад"])) }
                    }
                }
                @if let Some(skew) = all.skew {
                    tr {
                        th scope="row" { (say(["Clock", "Часы"])) }
                        td { (say(["differs from the database's by", "расходятся с базой данных на"])) " "
                            (language.length(skew.abs())) }
                    }
                }
            }
        }
    }
}

fn loops(language: Language, all: &Overview) -> Markup {
    html! {
        table {
            tbody {
                @for age in &all.loops {
                    tr {
                        th scope="row" { (age.name) }
                        td {
                            span.bad[age.is_late] {
                                (language.say(["went round", "круг"])) " "
                                (language.length(i64::try_from(age.age.as_secs()).unwrap_or(i64::MAX))) " "
                                (language.say(["ago", "назад"]))
                                @if age.is_late { " — " (language.say(["late", "опаздывает"])) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A time, for people and programs.
pub(super) fn time(time: Timestamp) -> Markup {
    html! { time datetime=(format!("{time:.0}")) { (time.strftime("%Y-%m-%d %H:%M:%S")) " UTC" } }
}
