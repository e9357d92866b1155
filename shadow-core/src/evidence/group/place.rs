//! Places as steps, some of which are data: indices, keys, line numbers, member names.

/// A step of a place that may be data.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Step<'p> {
    /// The text between the previous step and this one.
    pub(super) before: &'p str,
    /// The step as written: `.name`, `['other name']`, `[3]`, `[id=4]`, ` 12`.
    pub(super) text: &'p str,
    /// The form used once the step is known to be data.
    pub(super) pooled: &'static str,
}

impl Step<'_> {
    /// Whether it is the name of a member.
    pub(super) fn is_name(&self) -> bool {
        self.pooled == MEMBER
    }
}

/// The form of a member's name that is data.
const MEMBER: &str = ".*";

/// The steps of a place, and the text after the last one.
pub(super) fn steps(place: &str) -> (Vec<Step<'_>>, &str) {
    let mut steps = Vec::new();
    let mut rest = place;
    let mut kind = Kind::Word;
    // Start of `before`.
    let mut start = 0usize;
    while !rest.is_empty() {
        let at = place.len().saturating_sub(rest.len());
        let len = step_len(rest).max(1);
        let (text, behind) = rest.split_at_checked(len).unwrap_or((rest, ""));
        let pooled = match (kind, text.chars().next()) {
            (Kind::Json, Some('.')) => Some(MEMBER),
            (Kind::Json, Some('[')) if text.starts_with("['") && !text.contains("'=") => Some(MEMBER),
            (Kind::Json, Some('[')) => Some("[*]"),
            // An element has a position or not depending on its siblings, so the position is not written.
            (Kind::Markup, Some('[')) => Some(""),
            (Kind::Counted, Some(' ')) => Some(" *"),
            _ => None,
        };
        if let Some(pooled) = pooled {
            let before = place.get(start..at).unwrap_or_default();
            steps.push(Step { before, text, pooled });
            start = at.saturating_add(text.len());
        }
        kind = kind.after(text);
        rest = behind;
    }
    (steps, place.get(start..).unwrap_or_default())
}

/// The kind of step that may come next.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Word,
    /// In a path that starts with `$`.
    Json,
    /// In a path that starts with `/`.
    Markup,
    /// A number or a name.
    Counted,
}

impl Kind {
    fn after(self, text: &str) -> Self {
        let word = text.trim_start();
        if text.len() == word.len() && matches!(self, Self::Json | Self::Markup) {
            return self;
        }
        match word {
            "line" | "event" | "part" | "document" | "text" | "word" | "path" | "query" | "field"
            | "claim" | "fragment" => Self::Counted,
            _ if word.starts_with('$') => Self::Json,
            _ if word.starts_with('/') => Self::Markup,
            _ => Self::Word,
        }
    }
}

/// The length of the step at the start of a text: a word with its leading space, `.name`, or text in brackets.
fn step_len(text: &str) -> usize {
    let mut quote = None;
    let mut escaped = false;
    let bracket = text.starts_with('[');
    for (at, c) in text.char_indices() {
        let first = at == 0;
        match (quote, c) {
            _ if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, ']') if bracket => return at.saturating_add(1),
            (None, ' ' | '.' | '[') if !first && !bracket => {
                // Dots and brackets separate steps only in a path, and there each step starts with one.
                let path = text.trim_start().starts_with(['.', '$', '/']);
                if c == ' ' || path {
                    return at;
                }
            }
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The place with every step pooled.
    fn pooled(place: &str) -> String {
        let (steps, rest) = steps(place);
        let mut out = String::new();
        for step in &steps {
            out.push_str(step.before);
            out.push_str(step.pooled);
        }
        let whole: String = steps
            .iter()
            .map(|step| [step.before, step.text].concat())
            .collect();
        assert_eq!(whole + rest, place);
        out + rest
    }

    #[test]
    fn places_have_steps() {
        for (place, expected) in [
            ("$", "$"),
            ("$.items[3].price", "$.*[*].*"),
            ("$[0][1]", "$[*][*]"),
            ("$.links[rel=next].href", "$.*[*].*"),
            ("$.a[name='x.y [z]'].b query t.u", "$.*[*].* query *"),
            ("$['it\\'s[3]'].y[2]", "$.*.*[*]"),
            ("$['a'='b'].y", "$[*].*"),
            ("line 12", "line *"),
            ("line \"user count\" word 3", "line * word *"),
            ("event 3 $.a[1].b", "event * $.*[*].*"),
            ("part 2 line 7", "part * line *"),
            ("part avatar header content-type", "part * header content-type"),
            ("/html/body/div[2]/@class", "/html/body/div/@class"),
            ("/a/f[@name='n m']/b[12]/text() word 2", "/a/f/b/text() word *"),
            ("/html/script/text() $.a", "/html/script/text() $.*"),
            ("header location path 2", "header location path *"),
            ("header content-type", "header content-type"),
            ("body", "body"),
        ] {
            assert_eq!(pooled(place), expected, "{place}");
        }
    }
}
