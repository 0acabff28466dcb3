//! A deal that is not done, or whose record differs: why, what happens next, and what a person can do.

use functions::ports::WaitsFor;
use jiff::Timestamp;
use maud::{Markup, html};

use super::Page;
use super::words::{Language, Text};
use crate::admin::Item;
use crate::admin::next::{Duty, Next};

/// Deals, each with what happens next or what a person must do. `said` was said above, and is not repeated for each.
pub(super) fn cards(
    page: &Page,
    language: Language,
    items: &[&Item],
    said: Option<&str>,
) -> Markup {
    html! {
        ul.deals {
            @for item in items {
                li.yours[item.needs_person] {
                    p.head {
                        strong { (name(page, language, item.lead, &item.key)) }
                        " " span.state { (language.say(state(item.state))) }
                        " " span.muted { (language.say(["since", "с"])) " " (item.since.replace('T', " ").replace('Z', " UTC")) }
                    }
                    @if item.needs_person {
                        (next(page, language, item))
                    } @else {
                        p { "→ " (told(language, &item.next)) }
                        @if let Some(reason) = page.reason(item)
                            && said != Some(&*reason) { p.reason { (reason) } }
                    }
                }
            }
        }
    }
}

/// Why a deal is where it is, what happens next, and what a person can do.
pub(super) fn next(page: &Page, language: Language, item: &Item) -> Markup {
    html! {
        p.next { "→ " (told(language, &item.next)) }
        @if let Some(reason) = page.reason(item) { p.reason { (reason) } }
        (acts(language, item))
    }
}

fn state(state: &'static str) -> Text {
    let russian = match state {
        "waiting" => "ждёт отправки",
        "forwarded" => "в Inngest",
        "sending" => "отправляется",
        "in doubt" => "под вопросом",
        "failed" => "не удалось",
        "changed" => "изменена",
        "deleted" => "удалена",
        "not shown" => "не видна",
        "record gone" => "записи нет",
        "merged" => "объединена",
        "not compared" => "не сравнена",
        other => other,
    };
    [state, russian]
}

/// What happens next, or what a person does on this page.
fn told(language: Language, next: &Next) -> String {
    let say = |text: Text| language.say(text).to_owned();
    let at = |text: Text, due: &Timestamp| {
        format!("{}{}", language.say(text), due.strftime("%Y-%m-%d %H:%M UTC"))
    };
    match next {
        Next::Person(duty, _) => say(match duty {
            Duty::LookInErp => [
                "Look in the ERP whether its record is there, then say what you found.",
                "Посмотрите в ERP, есть ли запись, и ответьте здесь.",
            ],
            Duty::Mend => [
                "Mend the cause, then send it again; or say that it needs no record.",
                "Устраните причину и отправьте снова; или отметьте, что запись не нужна.",
            ],
            Duty::MendComparison => [
                "Mend the cause, then send it again; or leave the record as it is.",
                "Устраните причину и отправьте снова; или оставьте запись как есть.",
            ],
            Duty::CorrectRecord => [
                "Lead and record differ. Correct the record in the ERP if needed, then press “Leave it as it is”.",
                "Сделка и запись различаются. Если нужно, исправьте запись в ERP, затем нажмите «Оставить как есть».",
            ],
            Duty::KeepOne => [
                "One deal has two records. Keep one of them in the ERP, then press “Leave it as it is”.",
                "У одной сделки две записи. Оставьте в ERP одну, затем нажмите «Оставить как есть».",
            ],
        }),
        Next::RunTries(waits_for) => format!(
            "{}. {}",
            waits(language, *waits_for),
            language.say([
                "Its run tries again within minutes.",
                "Запуск повторит попытку через несколько минут.",
            ])
        ),
        Next::Waits(waits_for, Some(due)) => {
            format!(
                "{}. {}",
                waits(language, *waits_for),
                at(["Next try ", "Следующая попытка "], due)
            )
        }
        Next::Waits(waits_for, None) => format!(
            "{}. {}",
            waits(language, *waits_for),
            language
                .say(
                    ["It goes on by itself once that is there.", "Пойдёт сама, когда это будет.",]
                )
        ),
        Next::Registration => say([
            "It goes on as soon as Inngest knows the functions.",
            "Пойдёт, как только Inngest узнает функции.",
        ]),
        Next::Inngest(attempts) => format!(
            "{} {attempts}.",
            language.say([
                "It waits for Inngest and is tried about once a minute. Tries so far:",
                "Ждёт Inngest, попытка примерно раз в минуту. Попыток:",
            ])
        ),
        Next::AtOnce => say(["It goes to Inngest at once.", "Идёт в Inngest сейчас."]),
        Next::Soon => say([
            "It goes to Inngest within half a minute.",
            "Пойдёт в Inngest в течение полуминуты.",
        ]),
        Next::Sending => say(["It is being sent to the ERP.", "Отправляется в ERP."]),
        Next::WithInngest(Some(due)) => at(
            [
                "It is with Inngest. If nothing is heard of it, it is sent again ",
                "Она в Inngest. Если вестей не будет, отправится снова ",
            ],
            due,
        ),
        Next::WithInngest(None) | Next::Again(None) => say([
            "It is sent again within half a minute.",
            "Отправится снова в течение полуминуты.",
        ]),
        Next::Again(Some(due)) => at(["Next try ", "Следующая попытка "], due),
    }
}

/// What a deal waits for.
pub(super) fn waits(language: Language, waits_for: WaitsFor) -> &'static str {
    language.say(match waits_for {
        WaitsFor::Erp => ["It waits for the ERP", "Ждёт ERP"],
        WaitsFor::AmoCrm => ["It waits for amoCRM", "Ждёт amoCRM"],
        WaitsFor::Consent => ["It waits for a consent in amoCRM", "Ждёт согласия в amoCRM"],
        WaitsFor::Person => ["It waits for you", "Ждёт вас"],
    })
}

/// What a person can do about a deal.
fn acts(language: Language, item: &Item) -> Markup {
    let has_record = matches!(
        item.next,
        Next::Person(Duty::CorrectRecord | Duty::KeepOne | Duty::MendComparison, _)
    );
    let dismiss = if has_record {
        ["Leave it as it is", "Оставить как есть"]
    } else {
        ["Needs no record", "Запись не нужна"]
    };
    let all = [
        ("retry", ["Send again", "Отправить снова"]),
        ("resolve", ["I looked in the ERP", "Я проверил в ERP"]),
        ("dismiss", dismiss),
    ];
    let can_retry = matches!(item.next, Next::Person(Duty::Mend | Duty::MendComparison, _));
    // A deal in doubt is not sent again before a person has looked.
    let acts = all.into_iter().filter(|(act, _)| match *act {
        "retry" => can_retry,
        "resolve" => item.is_in_doubt(),
        _ => true,
    });
    html! {
        div.acts {
            @for (place, (act, label)) in acts.enumerate() {
                form action="/act" method="get" {
                    input type="hidden" name="do" value=(act);
                    input type="hidden" name="deal" value=(item.key);
                    button.main[place == 0 && item.needs_person] aria-label={ (language.say(label)) ": " (item.key) } { (language.say(label)) }
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
            " " a.out href=(url) rel="noreferrer"
                aria-label={ (language.say(["Lead in amoCRM", "Сделка в amoCRM"])) " " (lead) } {
                (language.say(["amoCRM", "amoCRM"])) " ↗"
            }
        }
    }
}
