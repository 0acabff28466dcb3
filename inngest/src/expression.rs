use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Serialize;
use serde_json::Value;

use crate::check::{Purpose, flaw, looks_at_event, placeholders};
use crate::json;

/// An expression of the server's language (CEL) with values of yours in it.
///
/// The text names a value as `$name`, and [`with`](Self::with) puts it in. An id that comes from outside and was put into the
/// text itself could be code: with `format!("async.data.id == '{id}'")` and the id `x' || 'a' == 'a` any event would do.
///
/// ```
/// # use inngest::Expression;
/// # #[derive(serde::Deserialize)] struct Paid {}
/// # impl inngest::EventData for Paid { const NAME: &'static str = "shop/paid"; }
/// # async fn f(step: inngest::Step<'_>, order_id: &str) -> inngest::Result<()> {
/// let this_order = Expression::new("async.data.orderId == $order && async.data.amount >= $least")
///     .with("order", order_id)
///     .with("least", 100);
/// let paid = step.wait_for_event::<Paid>("paid").when(this_order).await?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Expression {
    text: String,
    values: Vec<(String, Result<Literal, String>)>,
}

/// An expression as the server gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) text: String,
    /// It has a text that the server never finds equal to anything where the expression also looks at `event`: it writes
    /// the fields of `event` into the expression first, and all texts in it anew.
    pub(crate) delicate: bool,
}

impl Expression {
    /// An expression. In the condition of a wait or of a cancellation `event` is the event that started the run and `async`
    /// the one that is looked at; elsewhere `event` is the one at hand.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), values: Vec::new() }
    }

    /// Puts in a value where the text says `$name`: a text, a number, a list of them, or anything else that is JSON.
    ///
    /// An integer beyond 2<sup>53</sup> is refused where the expression is used, as the server would alter it.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Serialize) -> Self {
        let literal = json::payload(&value).map_err(|reason| reason.to_string());
        self.values.push((name.to_owned(), literal.map(|value| Literal::of(&value))));
        self
    }

    /// The text with its values, or what is wrong with it.
    pub(crate) fn write(&self, purpose: Purpose) -> Result<Written, String> {
        let wrong = |flaw: String| format!("`{}` is no expression: {flaw}", self.text);
        let places = placeholders(&self.text).map_err(wrong)?;
        let mut written = Written { text: String::new(), delicate: false };
        let mut done = 0;
        for (at, name) in &places {
            let value = self.values.iter().rev().find(|(known, _)| known == name);
            let Some((_, value)) = value else {
                return Err(wrong(format!("`${name}` has no value; give it one with `with`")));
            };
            let literal = value
                .as_ref()
                .map_err(|reason| wrong(format!("the value of `${name}`: {reason}")))?;
            written.text.push_str(self.text.get(done..at.start).unwrap_or_default());
            written.text.push_str(&literal.text);
            written.delicate |= literal.delicate;
            done = at.end;
        }
        written.text.push_str(self.text.get(done..).unwrap_or_default());
        if let Some((unused, _)) =
            self.values.iter().find(|(known, _)| !places.iter().any(|(_, name)| name == known))
        {
            return Err(wrong(format!(
                "it has no place `${unused}` for a value that it was given"
            )));
        }
        match flaw(&written.text, purpose) {
            Some(flaw) => Err(wrong(flaw)),
            None => Ok(written),
        }
    }
}

impl Written {
    /// What keeps it from ever holding.
    pub(crate) fn futile(&self) -> Option<&'static str> {
        (self.delicate && looks_at_event(&self.text)).then_some(
            "a text in it has quotes, backslashes or control characters, and the server never finds it equal to anything in an \
             expression that also looks at `event`; put the value from `event` in with `with` too",
        )
    }
}

impl<T: Into<String>> From<T> for Expression {
    fn from(text: T) -> Self {
        Self::new(text)
    }
}

/// A value as the language writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Literal {
    text: String,
    delicate: bool,
}

impl Literal {
    fn of(value: &Value) -> Self {
        let plain = |text: String| Self { text, delicate: false };
        match value {
            Value::String(text) => quoted(text),
            Value::Array(items) => {
                let items: Vec<_> = items.iter().map(Self::of).collect();
                let delicate = items.iter().any(|item| item.delicate);
                let items: Vec<_> = items.into_iter().map(|item| item.text).collect();
                Self { text: format!("[{}]", items.join(", ")), delicate }
            }
            Value::Object(fields) => {
                let entries: Vec<_> =
                    fields.iter().map(|(key, value)| (quoted(key), Self::of(value))).collect();
                let delicate = entries.iter().any(|(key, value)| key.delicate || value.delicate);
                let entries: Vec<_> = entries
                    .into_iter()
                    .map(|(key, value)| format!("{}: {}", key.text, value.text))
                    .collect();
                Self { text: format!("{{{}}}", entries.join(", ")), delicate }
            }
            // Before a minus of the expression a negative one would be another operator.
            Value::Number(number) if number.to_string().starts_with('-') => {
                plain(format!("({number})"))
            }
            other => plain(other.to_string()),
        }
    }
}

/// A text. The server compares what stands between the quotes as it stands there, escapes and all (seen on 1.43), so one that
/// needs an escape goes in another form.
fn quoted(text: &str) -> Literal {
    let has = |part: &[char]| text.contains(part);
    let (text, delicate) = match (has(&['\'']), has(&['"'])) {
        _ if has(&['\\']) || text.contains(char::is_control) => (decoded(text), true),
        (true, true) => (decoded(text), true),
        (true, false) => (format!("\"{text}\""), false),
        (false, quotes) => (format!("'{text}'"), quotes),
    };
    Literal { text, delicate }
}

fn decoded(text: &str) -> String {
    format!("b64decode('{}')", BASE64_STANDARD.encode(text))
}

/// `path` has a value in `async`, and the same in `event`. Without the first, fields that both lack would be equal (P-132).
pub(crate) fn same(path: &str) -> String {
    format!("event.{path} == async.{path} && async.{path} != null")
}

/// A text as a literal of the language.
pub(crate) fn text_literal(text: &str) -> String {
    quoted(text).text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Expression, Written, text_literal};
    use crate::check::Purpose;

    fn written(expression: &Expression) -> Result<String, String> {
        expression.write(Purpose::Any).map(|written| written.text)
    }

    /// T67: whatever is in a text, it stays a text, and is one that the server finds equal.
    #[test]
    fn t67_a_value_is_a_literal() {
        for (value, literal) in [
            (json!("K1"), "'K1'"),
            (json!("ключ 😀"), "'ключ 😀'"),
            (json!("it's"), "\"it's\""),
            (json!("say \"x\""), "'say \"x\"'"),
            (json!("x' || 'a' == 'a"), "\"x' || 'a' == 'a\""),
            (json!("'\\\""), "b64decode('J1wi')"),
            (json!("a\nb"), "b64decode('YQpi')"),
            (json!("a\\b"), "b64decode('YVxi')"),
            (json!(""), "''"),
            (json!("$b"), "'$b'"),
            (json!(5), "5"),
            (json!(-5), "(-5)"),
            (json!(1.5), "1.5"),
            (json!(1e21), "1e+21"),
            (json!(true), "true"),
            (json!(null), "null"),
            (json!(["a", 1]), "['a', 1]"),
            (json!({ "a": "it's" }), "{'a': \"it's\"}"),
        ] {
            let expression = Expression::new("async.data.a == $a").with("a", &value);
            assert_eq!(written(&expression), Ok(format!("async.data.a == {literal}")), "{value}");
        }
        assert_eq!(text_literal("app-fn"), "'app-fn'");
    }

    #[test]
    fn values_go_where_they_are_named_and_nowhere_else() {
        let expression = Expression::new("async.data.a == $a && '$a' != $b && $a != $ab // $c")
            .with("b", "$a")
            .with("a", 1)
            .with("ab", 2);
        let expected = "async.data.a == 1 && '$a' != '$a' && 1 != 2 // $c";
        assert_eq!(written(&expression).as_deref(), Ok(expected));
    }

    #[test]
    fn what_cannot_be_put_in_is_named() {
        for (expression, problem) in [
            (Expression::new("async.data.a == $a"), "`$a` has no value"),
            (Expression::new("true").with("a", 1), "it has no place `$a`"),
            (
                Expression::new("async.data.a == $a").with("a", u64::MAX),
                "the value of `$a`: the integer",
            ),
            (Expression::new("async.data.a =="), "it ends where a value is missing"),
            (Expression::new(" "), "it is empty"),
        ] {
            let text = written(&expression).unwrap_err();
            assert!(text.contains(problem), "{text}");
        }
    }

    #[test]
    fn what_could_never_hold_is_known() {
        let with = |text: &str, value: &str| {
            let written: Result<Written, _> =
                Expression::new(text).with("a", value).write(Purpose::Any);
            written.unwrap().futile().is_some()
        };
        assert!(with("async.data.a == $a && async.data.b == event.data.b", "a\nb"));
        assert!(with("async.data.a == $a && async.data.b == event.data.b", "\""));
        assert!(!with("async.data.a == $a && async.data.b == event.data.b", "it's"));
        assert!(!with("async.data.a == $a && async.data.event == 'event'", "a\nb"));
    }
}
