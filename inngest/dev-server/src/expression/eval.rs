//! The value of an expression.
//!
//! `None` is a value that is not there: a missing field, or an operation that its operands do not allow. The real server
//! does not fail on it; each operator here treats it as that server does.

use std::borrow::Cow;
use std::cmp::Ordering;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::value::Index;
use serde_json::{Value, json};

use super::parser::Node;

pub(super) struct Scope<'a> {
    pub(super) event: &'a Value,
    pub(super) asynchronous: Option<&'a Value>,
    /// The real server writes the fields of `event` into the expression, and all texts in it anew.
    pub(super) rewritten: bool,
}

/// The value of a node, borrowed where possible.
pub(super) fn eval<'a>(node: &'a Node, scope: &Scope<'a>) -> Option<Cow<'a, Value>> {
    let value = match node {
        Node::Literal(value) => return Some(Cow::Borrowed(value)),
        Node::Event => return Some(Cow::Borrowed(scope.event)),
        Node::Async => return scope.asynchronous.map(Cow::Borrowed),
        Node::Member(of, name) => return part(eval(of, scope)?, name),
        Node::Index(of, index) => {
            let of = eval(of, scope)?;
            return match eval(index, scope)?.as_ref() {
                Value::String(name) => part(of, name),
                index => part(of, usize::try_from(index.as_u64()?).ok()?),
            };
        }
        Node::Conditional(condition, yes, no) => {
            let branch = if is_truthy(eval(condition, scope).as_deref()) { yes } else { no };
            return eval(branch, scope);
        }
        Node::Binary(operator @ ("||" | "&&"), left, right) => {
            let left = eval(left, scope);
            let decides = is_truthy(left.as_deref()) == (*operator == "||");
            return if decides { left } else { eval(right, scope) };
        }
        Node::List(items) => {
            let items = items.iter().map(|item| eval(item, scope).unwrap_or_default().into_owned());
            Some(items.collect())
        }
        Node::Not(inner) => match eval(inner, scope).as_deref() {
            Some(Value::Bool(value)) => Some(json!(!value)),
            // A missing value is neither true nor false; in a wait what is not it is missing too.
            None if scope.asynchronous.is_some() => None,
            None => Some(json!(false)),
            Some(_) => None,
        },
        Node::Negative(inner) => {
            let value = eval(inner, scope)?;
            match value.as_i64() {
                Some(integer) => integer.checked_neg().map(Value::from),
                None => value.as_f64().map(|number| json!(-number)),
            }
        }
        // The other way round a missing field of `event` is `null`.
        Node::Binary(operator @ ("==" | "!="), left, right)
            if *root(left) == Node::Async
                && eval(left, scope).is_none()
                && *root(right) == Node::Event =>
        {
            let is_null = eval(right, scope).is_some_and(|right| right.is_null());
            Some(json!(is_null == (*operator == "==")))
        }
        Node::Binary("+", left, right)
            if scope.asynchronous.is_some()
                && [left, right]
                    .into_iter()
                    .any(|node| *root(node) == Node::Event && eval(node, scope).is_none()) =>
        {
            None
        }
        Node::Binary(operator, left, right) => {
            binary(operator, operand(left, operator, scope), operand(right, operator, scope))
        }
        Node::Call("has", arguments) => {
            let field = arguments.first().and_then(|field| eval(field, scope));
            (field.is_some() || scope.asynchronous.is_none()).then(|| json!(field.is_some()))
        }
        Node::Call("size", arguments) if scope.asynchronous.is_some() => {
            let of = arguments.first().and_then(|of| eval(of, scope))?;
            call("size", Some(&of), None)
        }
        Node::Call(name, arguments) => {
            let mut values = arguments.iter().map(|argument| eval(argument, scope));
            call(name, values.next().flatten().as_deref(), values.next().flatten().as_deref())
        }
    };
    value.map(Cow::Owned)
}

fn part(of: Cow<'_, Value>, index: impl Index) -> Option<Cow<'_, Value>> {
    match of {
        Cow::Borrowed(of) => of.get(index).map(Cow::Borrowed),
        Cow::Owned(of) => of.get(index).cloned().map(Cow::Owned),
    }
}

/// Before two events are compared, the real server writes the fields of `event` into the expression. A missing field becomes
/// `null` in a comparison, and `null` equals a field that `async` lacks.
pub(super) fn operand<'a>(node: &'a Node, operator: &str, scope: &Scope<'a>) -> Option<Value> {
    let is_comparison = matches!(operator, "==" | "!=");
    let value = eval(node, scope).map(Cow::into_owned);
    let root = root(node);
    let is_null = is_comparison && scope.asynchronous.is_some() && *root == Node::Event;
    match value.or(is_null.then_some(Value::Null)) {
        // Numbers of events are floats, which are not added to integers.
        Some(Value::Number(number)) if matches!(root, Node::Event | Node::Async) => {
            number.as_f64().map(Value::from)
        }
        // With escapes, which nothing that `async` has is equal to.
        Some(Value::String(text)) if scope.rewritten && *root != Node::Async => {
            let escaped = Value::from(text).to_string();
            Some(escaped.trim_matches('"').into())
        }
        value => value,
    }
}

/// What a field is one of.
pub(super) fn root(node: &Node) -> &Node {
    match node {
        Node::Member(of, _) | Node::Index(of, _) => root(of),
        node => node,
    }
}

pub(super) fn is_truthy(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => false,
        Some(Value::Bool(value)) => *value,
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Number(number)) => number.as_f64() != Some(0.0),
        Some(_) => true,
    }
}

pub(super) fn binary(operator: &str, left: Option<Value>, right: Option<Value>) -> Option<Value> {
    let value = match operator {
        "==" => is_equal(left.as_ref(), right.as_ref()),
        "!=" => !is_equal(left.as_ref(), right.as_ref()),
        // What is missing is less than anything.
        "<" | "<=" if left.is_none() => true,
        ">" | ">=" if left.is_none() => false,
        "<" | "<=" if right.is_none() => false,
        ">" | ">=" if right.is_none() => true,
        "<" => compare(&left?, &right?)? == Ordering::Less,
        "<=" => compare(&left?, &right?)? != Ordering::Greater,
        ">" => compare(&left?, &right?)? == Ordering::Greater,
        ">=" => compare(&left?, &right?)? != Ordering::Less,
        "in" => match (left, right) {
            (Some(item), Some(Value::Array(items))) => {
                items.iter().any(|other| is_equal(Some(&item), Some(other)))
            }
            (Some(Value::String(key)), Some(Value::Object(fields))) => fields.contains_key(&key),
            (None, _) | (_, None) => false,
            _ => return None,
        },
        "+" => return add(left, right),
        _ => return calculate(operator, left, right),
    };
    Some(json!(value))
}

/// Numbers of all kinds are one; two values of different kinds differ. What is missing equals `null` only.
fn is_equal(left: Option<&Value>, right: Option<&Value>) -> bool {
    match (left, right) {
        (None, None) => false,
        (None, Some(value)) | (Some(value), None) => value.is_null(),
        (Some(Value::Number(left)), Some(Value::Number(right))) => {
            left == right || left.as_f64() == right.as_f64()
        }
        (Some(left), Some(right)) => left == right,
    }
}

/// `null` counts as the zero of the other side's kind.
fn compare(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Null, Value::Number(_)) => compare(&json!(0), right),
        (Value::Number(_), Value::Null) => compare(left, &json!(0)),
        (Value::Null, Value::String(_)) => compare(&json!(""), right),
        (Value::String(_), Value::Null) => compare(left, &json!("")),
        (Value::Number(left), Value::Number(right)) => match (left.as_i64(), right.as_i64()) {
            (Some(left), Some(right)) => Some(left.cmp(&right)),
            _ => left.as_f64()?.partial_cmp(&right.as_f64()?),
        },
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        (Value::Bool(left), Value::Bool(right)) => Some(left.cmp(right)),
        _ => None,
    }
}

fn add(left: Option<Value>, right: Option<Value>) -> Option<Value> {
    match (left, right) {
        (None, None) => Some(json!(false)),
        (None, Some(value)) | (Some(value), None) => Some(value),
        (Some(left @ Value::Number(_)), Some(right @ Value::Number(_))) => {
            calculate("+", Some(left), Some(right))
        }
        (Some(Value::Array(left)), Some(Value::Array(right))) => {
            Some(left.into_iter().chain(right).collect())
        }
        (Some(left), Some(right)) => Some(json!(text(&left) + &text(&right))),
    }
}

fn calculate(operator: &str, left: Option<Value>, right: Option<Value>) -> Option<Value> {
    let (Some(left), Some(right)) = (left, right) else { return Some(json!(false)) };
    if left.is_i64() != right.is_i64() {
        return None;
    }
    if let (Some(left), Some(right)) = (left.as_i64(), right.as_i64()) {
        let result = match operator {
            "+" => left.checked_add(right),
            "-" => left.checked_sub(right),
            "*" => left.checked_mul(right),
            "/" => left.checked_div(right),
            _ => left.checked_rem(right),
        };
        return result.map(Value::from);
    }
    let (left, right) = (left.as_f64()?, right.as_f64()?);
    Some(json!(match operator {
        "+" => left + right,
        "-" => left - right,
        "*" => left * right,
        "/" => left / right,
        _ => return None,
    }))
}

fn call(name: &str, receiver: Option<&Value>, argument: Option<&Value>) -> Option<Value> {
    let Some(receiver) = receiver else {
        return Some(if matches!(name, "size" | ".size") { json!(0) } else { json!(false) });
    };
    Some(match (name, receiver, argument) {
        ("size" | ".size", Value::String(text), _) => json!(text.chars().count()),
        ("size" | ".size", Value::Array(items), _) => json!(items.len()),
        ("size" | ".size", Value::Object(fields), _) => json!(fields.len()),
        ("string", value, _) => json!(text(value)),
        ("int", value, _) => json!(integer(value)?),
        ("double", Value::String(text), _) => json!(text.parse::<f64>().ok()?),
        ("double", value, _) => json!(value.as_f64()?),
        ("lowercase", Value::String(text), _) => json!(text.to_lowercase()),
        ("uppercase", Value::String(text), _) => json!(text.to_uppercase()),
        ("b64decode", Value::String(text), _) => {
            json!(String::from_utf8(BASE64_STANDARD.decode(text).ok()?).ok()?)
        }
        (_, Value::String(_), None) => json!(false),
        ("startsWith", Value::String(text), Some(Value::String(part))) => {
            json!(text.starts_with(part))
        }
        ("endsWith", Value::String(text), Some(Value::String(part))) => json!(text.ends_with(part)),
        ("contains", Value::String(text), Some(Value::String(part))) => json!(text.contains(part)),
        _ => return None,
    })
}

fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => number.as_i64().or_else(|| {
            // Fractions are cut off; what is out of range has no value in JSON arithmetic either.
            format!("{:.0}", number.as_f64()?.trunc()).parse().ok()
        }),
        _ => None,
    }
}

/// A text without quotes, everything else as JSON.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(_) => serde_json_canonicalizer::to_string(value).unwrap_or_default(),
        value => value.to_string(),
    }
}
