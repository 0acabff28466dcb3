/// The longest name that the ERP's field takes, in characters.
const LONGEST: usize = 255;

/// `name` as the ERP can store it: one line, no control characters, of limited length. The same name always
/// gives the same text. That it is one line also keeps it from looking like an answer (`reply::content`).
pub(super) fn normalise(name: &str) -> String {
    let mut line = String::with_capacity(name.len());
    let mut broken = false;
    for character in name.chars() {
        if character.is_control() || matches!(character, '\u{2028}' | '\u{2029}') {
            broken = true;
            continue;
        }
        if std::mem::take(&mut broken) && !line.ends_with(' ') {
            line.push(' ');
        }
        line.push(character);
    }
    let capped: String = line.trim().chars().take(LONGEST).collect();
    match capped.trim_end() {
        // The ERP would store SQL's NULL, or the time of day.
        name @ ("null" | "now()") => format!("\"{name}\""),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::normalise;

    #[test]
    fn names_become_one_plain_line() {
        for (name, stored) in [
            ("Поставка окон", "Поставка окон"),
            ("  trimmed\t", "trimmed"),
            ("two\r\nlines\n\n\nand more", "two lines and more"),
            ("tab \t and\u{0}nul\u{2028}line", "tab  and nul line"),
            ("emoji 🪟 stays", "emoji 🪟 stays"),
            ("<b>&amp;</b> 'quoted'", "<b>&amp;</b> 'quoted'"),
            ("null", "\"null\""),
            ("now()", "\"now()\""),
            ("Null now()", "Null now()"),
            ("\n", ""),
        ] {
            assert_eq!(normalise(name), stored);
        }
    }

    #[test]
    fn long_names_are_cut_between_characters() {
        assert_eq!(normalise(&"я".repeat(10_000)), "я".repeat(255));
        assert_eq!(normalise(&format!("{} tail", "x".repeat(254))), "x".repeat(254));
    }
}
