//! A place as steps, of which some are data: indices, keys, numbers of lines, names of members.

/// A step of a place that may be data.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Step<'p> {
    /// What stands before it, up to the step before.
    pub(super) before: &'p str,
    /// As it is written: `.name`, `['other name']`, `[3]`, `[id=4]`, ` 12`.
    pub(super) text: &'p str,
    /// As it is written when it is known to be data.
    pub(super) pooled: &'static str,
}

/// The steps of a place, and what stands after the last.
pub(super) fn steps(place: &str) -> (Vec<Step<'_>>, &str) {
    let mut steps = Vec::new();
    let mut rest = place;
    let mut kind = Kind::Word;
    // Where `before` begins.
    let mut start = 0usize;
    while !rest.is_empty() {
        let at = place.len().saturating_sub(rest.len());
        let len = step_len(rest).max(1);
        let (text, behind) = rest.split_at_checked(len).unwrap_or((rest, ""));
        let pooled = match (kind, text.chars().next()) {
            (Kind::Json, Some('.')) => Some(".*"),
            (Kind::Json, Some('[')) if text.starts_with("['") && !text.contains("'=") => Some(".*"),
            (Kind::Json, Some('[')) => Some("[*]"),
            // Whether an element has a position depends on its siblings, so that none is written.
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

/// What may come next.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Word,
    /// In a path that begins with `$`.
    Json,
    /// In a path that begins with `/`.
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
            | "claim" => Self::Counted,
            _ if word.starts_with('$') => Self::Json,
            _ if word.starts_with('/') => Self::Markup,
            _ => Self::Word,
        }
    }
}

/// The length of a step at the start of a text: a word with the blank in front of it, `.name`, or what is in brackets.
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
                // Only in a path do points and brackets part steps, and there a step begins with one.
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
