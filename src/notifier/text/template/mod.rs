//! Words of the operator's own in place of ours: a file in the language of Jinja for each channel.
//!
//! A template is tried with a message of every sort when it is read, so that a misspelt name is found then and not at
//! night. What it makes stays within the budget of the channel: items are left out from the end until it fits. It
//! cannot undo the two promises that every message keeps: nothing is left out without a count, and the event id is in
//! it.

mod context;
mod marks;
#[cfg(test)]
mod tests;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior};

use self::context::Words;
use super::moments::Voice;
use super::page::measure;
use super::{Composed, PlainText, compose, plain, script};
use crate::domain::alert::message::Message;
use crate::domain::nearest::nearest;
use crate::domain::policy::Locale;
use crate::notifier::script::{Budget, Entry, Markup, Script};
use crate::notifier::{Setting, samples};

/// Under this name the engine knows the only template that there is.
const NAME: &str = "template";
/// Steps, and bytes written, after which a template is given up: a loop in a loop in a loop.
const FUEL: u64 = 5_000_000;
/// Where the names are explained.
const VARIABLES: &str = "docs/templates.md lists every name";

/// Words of the operator's own, in place of ours.
#[derive(Debug)]
pub struct Template {
    environment: Environment<'static>,
    file: String,
    /// It says itself how many items are left out.
    counts: bool,
    /// It shows the event id itself.
    identifies: bool,
}

/// Why a template cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {problem}\n  hint: {hint}")]
pub struct TemplateError {
    /// The file, as the configuration names it.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// What is wrong, and with what message where it was found by trying.
    pub problem: String,
    /// A way out.
    pub hint: String,
}

/// Why a template made no text that can be sent.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unusable {
    /// The engine gave up.
    #[error("{0}")]
    Failed(#[from] Error),
    /// Even without any item it is longer than the channel takes.
    #[error("longer than the channel takes, even without items")]
    TooLong,
}

impl Template {
    /// Reads a template, and tries it with a message of every sort.
    ///
    /// # Errors
    /// It is not written as templates are, uses a name that does not exist, or makes nothing of some message.
    pub fn read(text: &str, file_name: &str) -> Result<Self, TemplateError> {
        let template = Self::parse(text, file_name)?;
        for (name, message) in samples::all() {
            for locale in [Locale::En, Locale::Zh] {
                template.trial(name, &message, locale)?;
            }
        }
        Ok(template)
    }

    /// Reads a template without trying it.
    fn parse(text: &str, file_name: &str) -> Result<Self, TemplateError> {
        let refuse = |line: usize, problem: String, hint: String| TemplateError {
            file: file_name.to_owned(),
            line,
            problem,
            hint,
        };
        if let Some(at) = text.find(is_control) {
            let line = text[..at].matches('\n').count() + 1;
            return Err(refuse(line, "a control character".to_owned(), "remove it".to_owned()));
        }
        let mut environment = environment();
        environment
            .add_template_owned(NAME, text.to_owned())
            .map_err(|error| refuse(error.line().unwrap_or(1), problem(&error), hint(&error)))?;
        let used = environment.get_template(NAME).map(|template| template.undeclared_variables(false));
        let used = used.map_err(|error| refuse(1, problem(&error), hint(&error)))?;
        let (counts, identifies) =
            (used.contains("left_out"), used.contains("event_id") || used.contains("footer"));
        Ok(Self { environment, file: file_name.to_owned(), counts, identifies })
    }

    /// What a template makes of one message must be something.
    fn trial(&self, name: &str, message: &Message, locale: Locale) -> Result<(), TemplateError> {
        let refuse = |line: usize, problem: &str, hint: String| TemplateError {
            file: self.file.clone(),
            line,
            problem: format!("{problem} (tried with the sample `{name}`)"),
            hint,
        };
        let setting = samples::setting(locale);
        match Rendering::new(self, message, &setting).own(message.items.len()) {
            Ok(text) if marks::resolved(&text, &PlainText).trim().is_empty() => {
                Err(refuse(1, "it says nothing", "{{ title }} always says something".to_owned()))
            }
            Ok(_) => Ok(()),
            Err(error) => Err(refuse(error.line().unwrap_or(1), &problem(&error), hint(&error))),
        }
    }

    /// The file that it was read from, as the configuration names it.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// A message in the operator's words: one text within the budget.
    pub(super) fn compose(
        &self,
        message: &Message,
        setting: &Setting<'_>,
        markup: &dyn Markup,
        budget: Budget,
    ) -> Result<Vec<Composed>, Unusable> {
        let rendering = Rendering::new(self, message, setting);
        let written = |kept: usize| -> Result<Option<String>, Error> {
            let text = rendering.whole(kept, markup)?;
            Ok((measure(&text, budget.unit) <= budget.limit).then_some(text))
        };
        let composed = |text: String| vec![Composed { title: plain(&rendering.script.title), text }];
        let all = message.items.len();
        if let Some(text) = written(all)? {
            return Ok(composed(text));
        }
        let mut best = written(0)?.ok_or(Unusable::TooLong)?;
        let (mut fits, mut too_many) = (0, all);
        while too_many - fits > 1 {
            let middle = fits.midpoint(too_many);
            match written(middle)? {
                Some(text) => (fits, best) = (middle, text),
                None => too_many = middle,
            }
        }
        Ok(composed(best))
    }
}

/// One message, prepared to be written with more or fewer of its items.
struct Rendering<'a> {
    template: &'a Template,
    message: &'a Message,
    setting: &'a Setting<'a>,
    script: Script,
    items: Vec<Value>,
}

impl<'a> Rendering<'a> {
    fn new(template: &'a Template, message: &'a Message, setting: &'a Setting<'a>) -> Self {
        let script = script(message, setting);
        let voice = Voice::of(setting);
        let pairs = message.items.iter().zip(&script.entries);
        let items = pairs.map(|(item, entry)| context::item(item, entry, voice)).collect();
        Self { template, message, setting, script, items }
    }

    /// What the template says, with marks.
    fn own(&self, kept: usize) -> Result<String, Error> {
        let context = context::context(self.message, &self.script, &self.items, kept, self.setting);
        self.template.environment.get_template(NAME)?.render(Value::from_object(context))
    }

    /// The same with markup, and with what it leaves unsaid and must be said.
    fn whole(&self, kept: usize, markup: &dyn Markup) -> Result<String, Error> {
        let mut text = marks::resolved(self.own(kept)?.trim(), markup);
        let left_out: Vec<&Entry> = self.script.entries[kept..].iter().collect();
        let voice = Voice::of(self.setting);
        let more = compose::more(&left_out, self.script.left_out, voice.words);
        if !more.is_empty() && !self.template.counts {
            text.push_str(markup.block_break());
            markup.line(&more, &mut text);
        }
        if !self.template.identifies {
            text.push_str(markup.block_break());
            markup.footer(&self.script.footer, &mut text);
        }
        Ok(text)
    }
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.expect("the usual delimiters"));
    environment.set_debug(true);
    environment.set_fuel(Some(FUEL));
    environment.set_formatter(|out, _, value| {
        let text = match value.downcast_object_ref::<Words>() {
            Some(words) => words.marked(),
            None if value.is_none() => String::new(),
            None => marks::guarded(&value.to_string()),
        };
        out.write_str(&text).map_err(Error::from)
    });
    for name in ["safe", "escape", "e"] {
        environment.remove_filter(name);
    }
    environment.remove_global("debug");
    environment
}

fn is_control(character: char) -> bool {
    character.is_control() && !matches!(character, '\n' | '\r' | '\t')
}

fn problem(error: &Error) -> String {
    let kind = error.kind().to_string();
    error.detail().map_or(kind.clone(), |detail| format!("{kind}: {detail}"))
}

/// The nearest name, for one that does not exist.
fn hint(error: &Error) -> String {
    if error.kind() == ErrorKind::OutOfFuel {
        return "a loop in it is too long".to_owned();
    }
    let detail = error.detail().unwrap_or_default();
    let written = detail.split('`').nth(1).unwrap_or_default();
    let last = written.rsplit('.').next().unwrap_or(written);
    let known = names();
    match nearest(last, known.iter().copied()) {
        Some(name) if name != last => format!("did you mean `{name}`? {VARIABLES}"),
        _ => VARIABLES.to_owned(),
    }
}

/// Every name that a template can use.
fn names() -> Vec<&'static str> {
    let setting = samples::setting(Locale::En);
    let message = samples::test();
    let script = script(&message, &setting);
    let context = context::context(&message, &script, &[], 0, &setting);
    context.into_keys().chain(context::blank().into_keys()).collect()
}
