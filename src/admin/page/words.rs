//! What the page says, in English and Russian.

use http::HeaderMap;
use http::header::ACCEPT_LANGUAGE;

/// A text in both languages.
pub(super) type Text = [&'static str; 2];

/// The language of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    English,
    Russian,
}

impl Language {
    /// The one that the browser prefers. What is neither is answered in English.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let accepted = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        let mut best = (0.0, Self::English);
        for range in accepted.unwrap_or_default().split(',') {
            let (tag, weight) = range.split_once(';').unwrap_or((range, ""));
            let weight = weight.trim().strip_prefix("q=").map_or(Ok(1.0), str::parse::<f32>);
            let language = match tag.trim().split('-').next() {
                Some("ru") => Self::Russian,
                Some("en") => Self::English,
                _ => continue,
            };
            // The first of equals counts.
            if let Ok(weight) = weight
                && weight > best.0
            {
                best = (weight, language);
            }
        }
        best.1
    }

    /// Its tag.
    pub(super) fn tag(self) -> &'static str {
        self.say(["en", "ru"])
    }

    /// One of the two.
    pub(super) fn say(self, text: Text) -> &'static str {
        match self {
            Self::English => text[0],
            Self::Russian => text[1],
        }
    }

    /// How long ago something was.
    pub(super) fn ago(self, seconds: i64) -> String {
        format!("{} {}", self.length(seconds), self.say(["ago", "назад"]))
    }

    /// How long something took or is ago, in the largest unit that has a whole number.
    pub(super) fn length(self, seconds: i64) -> String {
        let units: [(i64, Text); 4] =
            [(86_400, ["d", "дн."]), (3600, ["h", "ч"]), (60, ["min", "мин"]), (1, ["s", "с"])];
        let seconds = seconds.max(0);
        let (size, name) =
            units.into_iter().find(|(size, _)| seconds >= *size).unwrap_or((1, ["s", "с"]));
        format!("{} {}", seconds / size, self.say(name))
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::Language;

    #[test]
    fn the_browser_chooses_the_language() {
        for (accepted, expected) in [
            ("ru-RU,ru;q=0.9,en-US;q=0.8,en;q=0.7", "ru"),
            ("en-GB,en;q=0.9,ru;q=0.8", "en"),
            ("de,ru;q=0.5", "ru"),
            ("de", "en"),
            ("ru;q=x", "en"),
            ("", "en"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("accept-language", accepted.parse().unwrap());
            assert_eq!(Language::of(&headers).tag(), expected, "{accepted}");
        }
        assert_eq!(Language::of(&HeaderMap::new()), Language::English);
    }

    #[test]
    fn lengths_are_said_in_their_largest_unit() {
        for (seconds, expected) in
            [(-5, "0 s"), (59, "59 s"), (60, "1 min"), (7199, "1 h"), (200_000, "2 d")]
        {
            assert_eq!(Language::English.length(seconds), expected);
        }
        assert_eq!(Language::Russian.length(120), "2 мин");
    }
}
