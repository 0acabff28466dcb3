use prometheus_client::encoding::text::encode_registry;
use prometheus_client::registry::Registry;

/// The content type of [`render`].
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What `registries` hold, in the text format that everything that reads metrics knows. OpenMetrics, which the library
/// writes, differs in this: the name of a counter has no `_total` where it is described.
pub(super) fn render(registries: &[&Registry]) -> String {
    let mut open_metrics = String::new();
    for registry in registries {
        // Writing into a string cannot fail.
        let _ = encode_registry(&mut open_metrics, registry);
    }
    let mut text = String::with_capacity(open_metrics.len());
    let mut lines = open_metrics.lines().peekable();
    while let Some(line) = lines.next() {
        let of_counter = |line: &str| line.starts_with("# TYPE ") && line.ends_with(" counter");
        let described =
            line.starts_with("# HELP ") && lines.peek().is_some_and(|next| of_counter(next));
        match line.splitn(4, ' ').collect::<Vec<_>>()[..] {
            [hash, keyword, name, rest] if described || of_counter(line) => {
                text.extend([hash, " ", keyword, " ", name, "_total ", rest, "\n"]);
            }
            _ => text.extend([line, "\n"]),
        }
    }
    text
}
