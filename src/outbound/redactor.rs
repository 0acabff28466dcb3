use secrecy::{ExposeSecret as _, SecretString};

/// Takes secrets out of texts that others wrote: an ERP's stack trace may well quote the password.
#[derive(Clone, Default)]
pub(crate) struct Redactor {
    needles: Vec<String>,
}

impl Redactor {
    /// PHP cuts the arguments in a stack trace at 15 characters: such a beginning is a secret, too.
    const PHP_ARGUMENT: usize = 15;

    /// Shorter secrets would blot out ordinary words and protect nothing.
    const SHORTEST: usize = 4;

    /// Knows `secrets`, also as a URL, an HTML page or a JSON text would show them.
    pub(crate) fn new<'a>(secrets: impl IntoIterator<Item = &'a SecretString>) -> Self {
        Self::default().and(secrets.into_iter().map(SecretString::expose_secret))
    }

    /// Knows these as well.
    pub(crate) fn and<'a>(&self, secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let mut needles = self.needles.clone();
        for secret in secrets {
            needles.push(secret.to_owned());
            needles.push(form_urlencoded::byte_serialize(secret.as_bytes()).collect());
            needles.push(secret.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"));
            needles.push(secret.replace('\\', "\\\\").replace('"', "\\\""));
            needles.push(quoted_on_a_page(secret));
            needles.push(quoted_on_a_page(&in_a_query(secret)));
            if secret.chars().count() > Self::PHP_ARGUMENT {
                needles.push(secret.chars().take(Self::PHP_ARGUMENT).collect());
            }
        }
        needles.retain(|needle| needle.chars().count() >= Self::SHORTEST);
        needles.sort_by_key(|needle| std::cmp::Reverse(needle.len()));
        needles.dedup();
        Self { needles }
    }

    /// `text` without the secrets.
    pub(crate) fn clean(&self, text: &str) -> String {
        self.needles.iter().fold(text.to_owned(), |text, needle| text.replace(needle, "[secret]"))
    }

    /// A short, single-line, secret-free beginning of `body` for an error message. Markup is left out.
    pub(crate) fn excerpt(&self, body: &[u8]) -> String {
        const LENGTH: usize = 200;
        let text = self.clean(&String::from_utf8_lossy(body));
        let line = plain_text(text.split("Stack trace:").next().unwrap_or_default());
        match line.char_indices().nth(LENGTH) {
            Some((end, _)) => format!("{}...", &line[..end]),
            None => line,
        }
    }
}

/// As PHP writes `text` on a page.
fn quoted_on_a_page(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', "&#039;")
}

/// As MySQL reads `text` in a query.
fn in_a_query(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\'', "\\'")
}

/// `html` as one line without its markup.
pub(crate) fn plain_text(html: &str) -> String {
    let mut plain = String::new();
    let mut in_tag = false;
    for character in html.chars() {
        match character {
            '<' => in_tag = true,
            '>' if in_tag => {
                in_tag = false;
                plain.push(' ');
            }
            _ if in_tag => {}
            _ => plain.push(character),
        }
    }
    let words = plain.split(|c: char| c.is_whitespace() || c.is_control());
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Redactor")
    }
}

#[cfg(test)]
mod tests {
    use super::Redactor;

    #[test]
    fn secrets_are_taken_out_however_they_are_written() {
        let secrets = ["p&ss<word> \"with\" 24 chars", "k+e/y", "it's ss\\"];
        let secrets = secrets.map(secrecy::SecretString::from);
        let redactor = Redactor::new(&secrets);
        for text in [
            r#"p&ss<word> "with" 24 chars"#,
            r#"p&amp;ss&lt;word&gt; "with" 24 chars"#,
            r#"p&ss<word> \"with\" 24 chars"#,
            "p%26ss%3Cword%3E+%22with%22+24+chars",
            "#0 login.php(12): login('api', 'p&ss<word> \"wit...')",
            "key=k%2Be%2Fy",
            r#"p&amp;ss&lt;word&gt; &quot;with&quot; 24 chars"#,
            r"values ('it\&#039;s ss\\')",
        ] {
            let cleaned = redactor.clean(text);
            assert!(cleaned.contains("[secret]") && !cleaned.contains("ss"), "{text} -> {cleaned}");
        }
    }

    #[test]
    fn an_excerpt_is_one_short_line_without_markup_and_stack_trace() {
        let page = b"<html>\n<b>Fatal error</b>:  Uncaught\nTypeError Stack trace: #0 login('x')";
        assert_eq!(Redactor::default().excerpt(page), "Fatal error : Uncaught TypeError");
        assert_eq!(Redactor::default().excerpt("я".repeat(500).as_bytes()).chars().count(), 203);
    }
}
