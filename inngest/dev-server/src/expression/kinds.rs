//! Which values fit an operator, as far as it can be told without the events. The real server refuses the rest when it
//! registers a function.

use serde_json::Value;

use super::lexer::InvalidExpression;
use super::parser::Node;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A field of an event, or what cannot be told.
    Any,
    Null,
    Bool,
    Number,
    Text,
    List,
    Map,
}

use Kind::{Any, Bool, List, Map, Null, Number, Text};

/// The kind of a node, all of whose parts fit.
pub(super) fn kind(node: &Node) -> Result<Kind, InvalidExpression> {
    Ok(match node {
        Node::Literal(value) => match value {
            Value::Null => Null,
            Value::Bool(_) => Bool,
            Value::Number(_) => Number,
            Value::String(_) => Text,
            Value::Array(_) => List,
            Value::Object(_) => Map,
        },
        Node::Event | Node::Async => Map,
        Node::List(items) => {
            items.iter().try_for_each(|item| kind(item).map(drop))?;
            List
        }
        Node::Member(of, name) => one(kind(of)?, &[Map], name).map(|_| Any)?,
        Node::Index(of, index) => match (kind(of)?, kind(index)?) {
            (List, index) => one(index, &[Number], "[]").map(|_| Any)?,
            (of, _) => one(of, &[Map], "[]").map(|_| Any)?,
        },
        Node::Not(inner) => one(kind(inner)?, &[Bool], "!")?,
        Node::Negative(inner) => one(kind(inner)?, &[Number], "-")?,
        Node::Conditional(condition, yes, no) => {
            one(kind(condition)?, &[Bool], "?")?;
            match (kind(yes)?, kind(no)?) {
                (yes, no) if yes == no => yes,
                (yes, no) => one(yes, &[], ":").or_else(|_| one(no, &[], ":"))?,
            }
        }
        Node::Binary(operator, left, right) => {
            let (left, right) = (kind(left)?, kind(right)?);
            match *operator {
                "&&" | "||" => one(left, &[Bool], operator).and(one(right, &[Bool], operator))?,
                "-" | "*" | "/" | "%" => {
                    one(left, &[Number], operator).and(one(right, &[Number], operator))?
                }
                "+" => Any,
                "in" => one(right, &[List, Map], operator).map(|_| Bool)?,
                _ => Bool,
            }
        }
        Node::Call(name, arguments) => {
            let (takes, result): (&[Kind], _) = match *name {
                "has" => (&[Map], Bool),
                "size" | ".size" => (&[Text, List, Map], Number),
                "int" | "double" => (&[Text, Number], Number),
                "string" => (&[Bool, Text, Number], Text),
                "uppercase" | "lowercase" => (&[Text], Text),
                "b64decode" => (&[Text], Any),
                _ => (&[Text], Bool),
            };
            for argument in arguments {
                one(kind(argument)?, takes, name)?;
            }
            result
        }
    })
}

fn one(found: Kind, of: &[Kind], what: &str) -> Result<Kind, InvalidExpression> {
    if found == Any || of.contains(&found) {
        return Ok(found);
    }
    Err(InvalidExpression::Syntax(format!("found no matching overload for `{what}`")))
}
