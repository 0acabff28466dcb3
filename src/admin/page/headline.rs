//! The one thing that those read who have five seconds: how it stands, and what to do.

use maud::{Markup, html};

use super::Page;
use super::overview::Overview;
use super::words::Language;

/// How it stands.
pub(super) struct Headline {
    /// `good`, `waits` or `bad`.
    pub(super) mood: &'static str,
    pub(super) title: String,
    pub(super) text: Markup,
}

impl Headline {
    /// What matters most comes first: what only a person can mend, then what passes by itself.
    pub(super) fn of(page: &Page, language: Language, all: &Overview) -> Self {
        let say = |text| language.say(text);
        let (yours, records) = (all.needing_person(), all.differing());
        if let Some(trouble) = all.needs_consent() {
            let title = say(["amoCRM needs your consent", "amoCRM ждёт вашего согласия"]);
            let text = html! {
                p { (say([
                    "Deals wait until then and go on by themselves. None is lost.",
                    "Сделки ждут этого и потом пойдут сами. Ни одна не потеряна.",
                ])) }
                @if let Some(consent) = &page.links.consent {
                    p { a.button href=(consent) { (say(["Connect amoCRM", "Подключить amoCRM"])) } }
                }
                p.fine { (trouble.problem) }
            };
            return Self { mood: "bad", title: title.to_owned(), text };
        }
        if yours + records > 0 {
            let title = match language {
                Language::English if yours == 1 => "1 deal needs you".to_owned(),
                Language::English if yours > 0 => format!("{yours} deals need you"),
                Language::English if records == 1 => "1 record needs a look".to_owned(),
                Language::English => format!("{records} records need a look"),
                Language::Russian if yours > 0 => format!("Нужны вы: сделок {yours}"),
                Language::Russian => format!("Проверьте записи: {records}"),
            };
            let text = html! {
                @if records > 0 { p { (say([
                    "What amoCRM and the ERP hold differs.",
                    "Данные в amoCRM и ERP расходятся.",
                ])) } }
                p { (say([
                    "All others go on without you. What to do stands below.",
                    "Остальные идут без вас. Что сделать, написано ниже.",
                ])) }
                (failing(language, all))
            };
            return Self { mood: "bad", title, text };
        }
        if let Some((neighbour, _)) = all.failing() {
            let name = say(neighbour.name);
            let title = match language {
                Language::English => format!("Deals wait: {name} does not work"),
                Language::Russian => format!("Сделки ждут: не работает {name}"),
            };
            let text = html! {
                (failing(language, all))
                p { (say([
                    "Deals go on by themselves once it works. None is lost.",
                    "Сделки пойдут сами, когда всё заработает. Ни одна не потеряна.",
                ])) }
            };
            return Self { mood: "waits", title, text };
        }
        if all.is_late() {
            let title = say(["Deals wait, and go on by themselves", "Сделки ждут и пойдут сами"]);
            let text = html! { p { (say([
                "Something takes longer than usual: see Systems and Background work.",
                "Что-то идёт дольше обычного: смотрите «Системы» и «Фоновая работа».",
            ])) } };
            return Self { mood: "waits", title: title.to_owned(), text };
        }
        if all.is_new() {
            let title = say(["Ready for the first deal", "Всё готово к первой сделке"]);
            let text = html! { p { (say([
                "No webhook has come so far.",
                "Вебхуков пока не было.",
            ])) } };
            return Self { mood: "good", title: title.to_owned(), text };
        }
        let title = say(["Deals flow", "Сделки идут"]).to_owned();
        let text = html! { p { (say(["Nothing needs you.", "От вас ничего не нужно."])) } };
        Self { mood: "good", title, text }
    }
}

fn failing(language: Language, all: &Overview) -> Markup {
    html! {
        @if let Some((neighbour, trouble)) = all.failing() {
            p { strong { (language.say(neighbour.name)) ": " } (trouble.problem) }
            p { "→ " (trouble.remedy) }
        }
    }
}
