//! The value of an expression.
//!
//! `None` is a value that is not there: a missing field, or an operation that its operands do not allow. The real server
//! does not fail on it; what each operator makes of it is written down here as that server does it.

use std::cmp::Ordering;

use serde_json::{Value, json};

use super::parser::Node;

pub(super) struct Scope<'a> {
    pub(super) event: &'a Value,
    pub(super) asynchronous: Option<&'a Value>,
}

pub(super) fn eval(node: &Node, scope: &Scope<'_>) -> Option<Value> {
    match node {
        Node::Literal(value) => Some(value.clone()),
        Node::List(items) => {
            Some(items.iter().map(|item| eval(item, scope).unwrap_or_default()).collect())
        }
        Node::Event | Node::Async | Node::Member(..) | Node::Index(..) => attribute(node, scope),
        Node::Not(inner) => match eval(inner, scope) {
            Some(Value::Bool(value)) => Some(json!(!value)),
            // A missing value is neither true nor false.
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
        Node::Conditional(condition, yes, no) => {
            let branch = if is_truthy(eval(condition, scope).as_ref()) { yes } else { no };
            eval(branch, scope)
        }
        Node::Binary("||", left, right) => {
            let left = eval(left, scope);
            if is_truthy(left.as_ref()) { left } else { eval(right, scope) }
        }
        Node::Binary("&&", left, right) => {
            let left = eval(left, scope);
            if is_truthy(left.as_ref()) { eval(right, scope) } else { left }
        }
        Node::Binary(operator, left, right) => {
            binary(operator, eval(left, scope), eval(right, scope))
        }
        Node::Call("has", arguments) => {
            let field = arguments.first().and_then(|field| attribute(field, scope));
            Some(json!(field.is_some()))
        }
        Node::Call(name, arguments) => {
            let mut values = arguments.iter().map(|argument| eval(argument, scope));
            call(name, values.next().flatten(), values.next().flatten())
        }
    }
}

/// A field, without copying what it is a field of.
fn attribute(node: &Node, scope: &Scope<'_>) -> Option<Value> {
    fn find<'a>(node: &Node, scope: &Scope<'a>) -> Option<&'a Value> {
        match node {
            Node::Event => Some(scope.event),
            Node::Async => scope.asynchronous,
            Node::Member(of, name) => find(of, scope)?.get(name),
            Node::Index(of, index) => match eval(index, scope)? {
                Value::String(name) => find(of, scope)?.get(name),
                index => find(of, scope)?.get(usize::try_from(index.as_u64()?).ok()?),
            },
            _ => None,
        }
    }
    match node {
        Node::Member(of, name) if !is_attribute(of) => eval(of, scope)?.get(name).cloned(),
        Node::Index(of, index) if !is_attribute(of) => {
            let index = usize::try_from(eval(index, scope)?.as_u64()?).ok()?;
            eval(of, scope)?.get(index).cloned()
        }
        node => find(node, scope).cloned(),
    }
}

fn is_attribute(node: &Node) -> bool {
    match node {
        Node::Event | Node::Async => true,
        Node::Member(of, _) | Node::Index(of, _) => is_attribute(of),
        _ => false,
    }
}

fn is_truthy(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => false,
        Some(Value::Bool(value)) => *value,
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Number(number)) => number.as_f64() != Some(0.0),
        Some(_) => true,
    }
}

fn binary(operator: &str, left: Option<Value>, right: Option<Value>) -> Option<Value> {
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

fn call(name: &str, receiver: Option<Value>, argument: Option<Value>) -> Option<Value> {
    let Some(receiver) = receiver else {
        return Some(if name == "size" { json!(0) } else { json!(false) });
    };
    match (name, &receiver, argument) {
        ("size", Value::String(text), _) => Some(json!(text.chars().count())),
        ("size", Value::Array(items), _) => Some(json!(items.len())),
        ("size", Value::Object(fields), _) => Some(json!(fields.len())),
        ("string", value, _) => Some(json!(text(value))),
        ("int", value, _) => integer(value).map(Value::from),
        ("double", Value::String(text), _) => text.parse().ok().map(|number: f64| json!(number)),
        ("double", value, _) => value.as_f64().map(|number| json!(number)),
        ("lowerAscii", Value::String(text), _) => Some(json!(text.to_ascii_lowercase())),
        ("upperAscii", Value::String(text), _) => Some(json!(text.to_ascii_uppercase())),
        (_, Value::String(_), None) => Some(json!(false)),
        ("startsWith", Value::String(text), Some(Value::String(part))) => {
            Some(json!(text.starts_with(&part)))
        }
        ("endsWith", Value::String(text), Some(Value::String(part))) => {
            Some(json!(text.ends_with(&part)))
        }
        ("contains", Value::String(text), Some(Value::String(part))) => {
            Some(json!(text.contains(&part)))
        }
        _ => None,
    }
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

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}
