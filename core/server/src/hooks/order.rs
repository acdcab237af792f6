//! The order of an event's handlers: `before` and `after` first, then priority, then source, then
//! the order they were written in. The same handlers always give the same order.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::handler::Handler;

/// `before` and `after` that cannot all be kept, as the names along the circle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the handlers of {event} go round in a circle: {}", circle.join(" -> "))]
pub struct Cycle {
    /// The event's name.
    pub event: &'static str,
    /// Each runs before the next; the last is the first again.
    pub circle: Vec<String>,
}

/// Sorts the handlers of one event; `down` turns priorities and sources round.
pub(super) fn sort(
    event: &'static str,
    down: bool,
    handlers: Vec<Handler>,
) -> Result<Vec<Handler>, Cycle> {
    let edges = edges(&handlers);
    let mut waits: Vec<usize> = vec![0; handlers.len()];
    for &(_, later) in &edges {
        waits[later] += 1;
    }
    let places = places(down, &handlers);
    let mut ready: BinaryHeap<_> = (0..handlers.len())
        .filter(|&i| waits[i] == 0)
        .map(|i| Reverse((places[i], i)))
        .collect();
    let mut order = Vec::with_capacity(handlers.len());
    while let Some(Reverse((_, next))) = ready.pop() {
        order.push(next);
        for &(_, later) in edges.iter().filter(|&&(earlier, _)| earlier == next) {
            waits[later] -= 1;
            if waits[later] == 0 {
                ready.push(Reverse((places[later], later)));
            }
        }
    }
    if order.len() < handlers.len() {
        let circle = circle(&edges, &waits)
            .into_iter()
            .map(|i| handlers[i].name.clone())
            .collect();
        return Err(Cycle { event, circle });
    }
    let mut handlers: Vec<_> = handlers.into_iter().map(Some).collect();
    Ok(order
        .into_iter()
        .filter_map(|i| handlers[i].take())
        .collect())
}

/// Each handler's place by priority, source and writing.
fn places(down: bool, handlers: &[Handler]) -> Vec<usize> {
    let mut by_place: Vec<usize> = (0..handlers.len()).collect();
    by_place.sort_by(|&a, &b| {
        let key = |i: usize| (handlers[i].priority, &handlers[i].source);
        let natural = key(a).cmp(&key(b));
        (if down { natural.reverse() } else { natural }).then(a.cmp(&b))
    });
    let mut places = vec![0; handlers.len()];
    for (place, &index) in by_place.iter().enumerate() {
        places[index] = place;
    }
    places
}

/// Pairs (earlier, later). Names that no handler answers to constrain nothing.
fn edges(handlers: &[Handler]) -> Vec<(usize, usize)> {
    let named = |name: &String| {
        let name = name.clone();
        (0..handlers.len()).filter(move |&i| handlers[i].answers_to(&name))
    };
    let mut edges = Vec::new();
    for (index, handler) in handlers.iter().enumerate() {
        edges.extend(
            handler
                .before
                .iter()
                .flat_map(named)
                .map(|later| (index, later)),
        );
        edges.extend(
            handler
                .after
                .iter()
                .flat_map(named)
                .map(|earlier| (earlier, index)),
        );
    }
    edges.sort_unstable();
    edges.dedup();
    edges
}

/// A circle among the handlers that still wait: each of them waits for another one of them.
fn circle(edges: &[(usize, usize)], waits: &[usize]) -> Vec<usize> {
    let Some(start) = waits.iter().position(|&count| count > 0) else {
        return Vec::new();
    };
    let earlier = |of: usize| {
        edges
            .iter()
            .find(|&&(earlier, later)| later == of && waits[earlier] > 0)
            .map(|&(e, _)| e)
    };
    let mut path = vec![start];
    while let Some(previous) = path.last().and_then(|&last| earlier(last)) {
        if let Some(at) = path.iter().position(|&seen| seen == previous) {
            path.drain(..at);
            path.push(previous);
            break;
        }
        path.push(previous);
    }
    path.reverse();
    path
}

#[cfg(test)]
mod tests {
    use std::any::Any;
    use std::sync::Arc;

    use super::super::handler::{Call, Occasion, Source, Tongue, Verdict};
    use super::*;

    struct Nothing;

    impl Call for Nothing {
        fn call(&self, _: &Occasion<'_>) -> Verdict {
            Verdict::Continue
        }
        fn as_any(&self) -> &dyn Any {
            self
        }
    }

    fn handler(name: &str, source: Source) -> Handler {
        Handler {
            name: name.to_owned(),
            source,
            tongue: Tongue::Script,
            priority: 0,
            before: vec![],
            after: vec![],
            goes_on: None,
            call: Arc::new(Nothing),
        }
    }

    fn config(name: &str) -> Handler {
        handler(name, Source::Config("conf.py".into()))
    }

    fn sorted(down: bool, handlers: Vec<Handler>) -> String {
        match sort("pre_request", down, handlers) {
            Ok(handlers) => handlers
                .iter()
                .map(|h| h.name.as_str())
                .collect::<Vec<_>>()
                .join(" "),
            Err(cycle) => cycle.to_string(),
        }
    }

    #[test]
    fn a_list_runs_as_written_up_and_down() {
        for down in [false, true] {
            assert_eq!(
                sorted(down, vec![config("c"), config("a"), config("b")]),
                "c a b"
            );
        }
    }

    #[test]
    fn sources_have_their_order_and_it_turns_round_on_teardown() {
        let handlers = || {
            vec![
                handler("flag", Source::CommandLine),
                config("conf1"),
                config("conf2"),
                handler("package", Source::Package("p".into())),
                handler("builtin", Source::Builtin),
            ]
        };
        assert_eq!(
            sorted(false, handlers()),
            "builtin package conf1 conf2 flag"
        );
        assert_eq!(sorted(true, handlers()), "flag conf1 conf2 package builtin");
    }

    #[test]
    fn priority_beats_source_and_constraints_beat_priority() {
        let early = Handler {
            priority: -10,
            ..handler("early", Source::CommandLine)
        };
        let late = Handler {
            priority: 10,
            ..handler("late", Source::Builtin)
        };
        let plain = config("plain");
        assert_eq!(
            sorted(false, vec![late.clone(), plain.clone(), early.clone()]),
            "early plain late"
        );
        assert_eq!(
            sorted(true, vec![late.clone(), plain.clone(), early.clone()]),
            "late plain early"
        );
        let forced = Handler {
            before: vec!["early".into()],
            ..late
        };
        assert_eq!(
            sorted(false, vec![forced, plain, early]),
            "plain late early"
        );
    }

    #[test]
    fn names_match_whole_or_after_the_colon_and_unknown_ones_do_nothing() {
        let first = Handler {
            after: vec!["auth".into(), "nobody".into()],
            ..config("a:first")
        };
        assert_eq!(
            sorted(false, vec![first, config("m:auth")]),
            "m:auth a:first"
        );
    }

    #[test]
    fn a_circle_is_printed() {
        let a = Handler {
            before: vec!["b".into()],
            ..config("a")
        };
        let b = Handler {
            before: vec!["c".into()],
            ..config("b")
        };
        let c = Handler {
            before: vec!["a".into()],
            ..config("c")
        };
        let message = sorted(false, vec![config("free"), a, b, c]);
        let circle = message.rsplit(": ").next().unwrap();
        assert!(
            ["a -> b -> c -> a", "b -> c -> a -> b", "c -> a -> b -> c"].contains(&circle),
            "{message}"
        );
        let narcissus = Handler {
            before: vec!["n".into()],
            ..config("n")
        };
        assert!(sorted(false, vec![narcissus]).ends_with("n -> n"));
    }

    #[test]
    fn the_order_does_not_depend_on_the_order_of_arrival_across_sources() {
        let handlers = vec![
            config("x"),
            handler("y", Source::CommandLine),
            Handler {
                priority: -1,
                ..handler("z", Source::Package("q".into()))
            },
            handler("w", Source::Builtin),
        ];
        let expected = sorted(false, handlers.clone());
        for rotation in 1..handlers.len() {
            let mut rotated = handlers.clone();
            rotated.rotate_left(rotation);
            assert_eq!(sorted(false, rotated), expected);
        }
    }
}
