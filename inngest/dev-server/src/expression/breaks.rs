//! Conditions of waits on which the real server never ends the run (P-003).
//!
//! When a wait begins, that server writes what the run's event has into the condition. Where it cannot, it repeats the call
//! and then leaves the run as it is.

use serde_json::Value;

use super::eval::{self, Scope, binary, is_truthy, operand, root};
use super::parser::Node;

pub(super) fn breaks(node: &Node, scope: &Scope<'_>) -> bool {
    let within = |nodes: &[Node]| nodes.iter().any(|node| breaks(node, scope));
    let value = |node| eval::eval(node, scope);
    let is_from_event = |node| *root(node) == Node::Event;
    let is_lacking = |node| is_from_event(node) && value(node).is_none();
    match node {
        Node::Literal(_) | Node::Event | Node::Async => false,
        // What decides by itself makes up for the other side.
        Node::Binary(operator @ ("||" | "&&"), left, right) => {
            let decides = |node| is_truthy(value(node).as_deref()) == (*operator == "||");
            let alone =
                |node, other| breaks(node, scope) && (breaks(other, scope) || !decides(other));
            alone(left, right) || alone(right, left)
        }
        Node::Binary(operator, left, right) => {
            breaks(left, scope) || breaks(right, scope) || is_mismatch(operator, left, right, scope)
        }
        Node::Index(of, index) if is_from_event(of) => match (value(of).as_deref(), &**of) {
            (Some(Value::Object(_)), _) => value(index).is_some_and(|index| index.is_number()),
            (Some(of), _) => value(index).and_then(|index| index.as_u64()).is_some_and(|index| {
                usize::try_from(index).map_or(true, |index| of.get(index).is_none())
            }),
            (None, Node::Member(outer, _)) => is_lacking(outer),
            (None, _) => breaks(of, scope),
        },
        Node::Index(of, index) => breaks(of, scope) || breaks(index, scope),
        Node::List(items) => items.iter().any(is_lacking) || within(items),
        Node::Call(".size" | "contains" | "startsWith" | "endsWith", arguments) => {
            arguments.first().is_some_and(is_lacking) || within(arguments)
        }
        Node::Call(_, arguments) => within(arguments),
        Node::Member(inner, _) | Node::Not(inner) | Node::Negative(inner) => breaks(inner, scope),
        Node::Conditional(condition, yes, no) => {
            [condition, yes, no].into_iter().any(|part| breaks(part, scope))
        }
    }
}

/// Kinds that do not go together, where at least one is a field of the event; and its data as a whole beside the awaited event.
fn is_mismatch(operator: &str, left: &Node, right: &Node, scope: &Scope<'_>) -> bool {
    if matches!(operator, "==" | "!=") {
        let is_data = |node: &Node| {
            matches!(node, Node::Member(of, _) if **of == Node::Event)
                && eval::eval(node, scope).is_some_and(|value| value.is_object())
        };
        let is_awaited = |node: &Node| node.any(&|part| *part == Node::Async);
        return is_data(left) && is_awaited(right) || is_data(right) && is_awaited(left);
    }
    let is_plain = |node| matches!(root(node), Node::Event | Node::Literal(_));
    let is_of_event = [left, right].into_iter().any(|node| *root(node) == Node::Event);
    if operator == "in" || !is_of_event || !is_plain(left) || !is_plain(right) {
        return false;
    }
    let (left, right) = (operand(left, operator, scope), operand(right, operator, scope));
    left.is_some() && right.is_some() && binary(operator, left, right).is_none()
}
