//! Templates: found wrong early, kept within budgets, and never a way around the escaping.

use std::time::{Duration, Instant};

use super::*;
use crate::notifier::script::{Line, Span, Unit};
use crate::notifier::text::parts;

const WIDE: Budget = Budget { limit: 20_000, unit: Unit::Bytes, parts: 3 };

fn read(text: &str) -> Template {
    Template::read(text, "dba.j2").unwrap_or_else(|error| panic!("{error}"))
}

/// Foreign text is in brackets, so that a test sees what was taken for it.
struct Bracketed;

impl Markup for Bracketed {
    fn span(&self, span: &Span, out: &mut String) {
        match span {
            Span::Own(text) | Span::Strong(text) | Span::Moment { shown: text, .. } => out.push_str(text),
            Span::Foreign(text) | Span::Name(text) | Span::Code(text) => out.extend(["⟦", text, "⟧"]),
            Span::Link { label, url } => out.extend([label, "→", url]),
        }
    }

    fn footer(&self, footer: &Line, out: &mut String) {
        out.push_str("-- ");
        self.line(footer, out);
    }
}

fn written(template: &str, message: &Message) -> String {
    let template = Template::parse(template, "dba.j2").unwrap_or_else(|error| panic!("{error}"));
    let setting = Setting { template: Some(&template), ..samples::setting(Locale::En) };
    let mut parts = parts(message, &setting, &Bracketed, WIDE);
    assert_eq!(parts.len(), 1);
    parts.remove(0).text
}

#[test]
fn values_arrive_as_what_they_are() {
    let message = samples::one_critical();
    for (name, template, want) in [
        ("own words", "{{ items[0].stage }}, {{ items[0].left }}", "critical, 7 days left"),
        ("a name", "{{ items[0].name }}", "订单库"),
        ("a moment", "{{ items[0].not_after }}", "2026-11-29 00:00 UTC (2026-11-29 08:00 +08:00)"),
        ("the zone", "{{ items[0].not_after_local }}", "2026-11-29 08:00 +08:00"),
        ("numbers", "{{ items[0].days_left + 1 }} {{ total }}", "8 1"),
        ("a label", "{{ items[0].labels.team }}{{ items[0].labels.none }}", "dba"),
        ("labels", "{% for key in items[0].labels %}{{ key }}{% endfor %}", "team"),
        ("markup of the template", "*{{ items[0].id }}*", "*r-bp1zxszhcgatnx7b2c*"),
        ("a link", "{{ status_page }}", "Status page→https://notafter.example.com/"),
        ("nothing", "x{{ items[0].in_use }}y", "xy"),
        ("filters", "{{ items|map(attribute='name')|join(', ')|upper }}", "订单库"),
        (
            "a line of ours",
            "{{ items[0].head }}",
            "⟦订单库⟧ ⟦r-bp1zxszhcgatnx7b2c⟧ · ⟦redis⟧ · ⟦cn-hangzhou⟧ · ⟦prod⟧",
        ),
        ("the title", "{{ title }}", "[CRITICAL] ⟦订单库⟧: certificate expires in 7 days"),
    ] {
        let guarded = format!("={{% if items %}}{template}{{% endif %}}");
        let text = written(&guarded.replace("items[0]", "(items|first)"), &message);
        let own = text.split("\n\n-- ").next().and_then(|own| own.strip_prefix('='));
        assert_eq!(own, Some(want), "{name}");
    }
}

#[test]
fn what_others_chose_is_given_to_the_markup_whatever_is_done_with_it() {
    let message = samples::hostile_name();
    for template in [
        "{{ item.name }}",
        "{{ item.name|upper }}",
        "{{ item.name|lower|title }}",
        "{{ item.stage ~ item.name }}",
        "{{ [item.name, item.owner]|join('*') }}",
        "{{ item.name|replace('*', '<') }}",
        "{{ item.name[3:] }}",
        "{{ item }}",
        "{{ item.lines }}",
        "{{ item.head|string }}",
        "{{ item.head ~ '' }}",
        "{% set x %}**{{ item.name }}**{% endset %}{{ x }}{{ x ~ item.owner }}{{ x|replace('n', item.owner) }}",
        "{% filter upper %}{{ item.name }}{{ item.head }}{% endfilter %}",
        "{% autoescape true %}{{ item.name }}{{ item.name ~ item.stage }}{% endautoescape %}",
        "{% set x = item.name|list %}{{ x }}",
    ] {
        let text = written(&format!("-{{% for item in items %}}{template}{{% endfor %}}"), &message);
        let mut outside = String::new();
        let mut rest = text.as_str();
        while let Some((before, foreign)) = rest.split_once('⟦') {
            outside.push_str(before);
            rest = foreign.split_once('⟧').map_or("", |(_, behind)| behind);
        }
        outside.push_str(rest);
        assert!(
            !outside.contains(['<', '@', '*', '`', '|', '\u{1}', '\u{2}', '\u{3}']),
            "{template}\n{outside}"
        );
        assert!(!text.contains('\u{202e}'), "{template}");
    }
}

#[test]
fn what_is_wrong_is_found_when_the_template_is_read() {
    for (name, template, want) in [
        (
            "misspelt",
            "{{ title }}\n\n{% for item in items %}{{ item.nmae }}{% endfor %}",
            "dba.j2:3: undefined value: `item.nmae` is undefined (tried with the sample `one_critical`)\n  \
             hint: did you mean `name`? docs/templates.md lists every name",
        ),
        (
            "unknown",
            "{{ colour }}",
            "dba.j2:1: undefined value: `colour` is undefined (tried with the sample `one_critical`)\n  \
             hint: docs/templates.md lists every name",
        ),
        (
            "in a rare case only",
            "{{ title }}\n{% if kind == 'digest' %}{{ overview.blnd }}{% endif %}",
            "dba.j2:2: undefined value: `overview.blnd` is undefined (tried with the sample `digest`)\n  \
             hint: docs/templates.md lists every name",
        ),
        (
            "no overview in news",
            "{{ title }} {{ overview.blind }}",
            "dba.j2:1: undefined value: `overview.blind` is undefined (tried with the sample `one_critical`)\n  \
             hint: docs/templates.md lists every name",
        ),
        (
            "not closed",
            "{{ title }}\n{% for item in items %}\n",
            "dba.j2:2: syntax error: unexpected end of input, expected end of block\n  \
             hint: docs/templates.md lists every name",
        ),
        (
            "unknown filter",
            "{{ title|safe }}",
            "dba.j2:1: unknown filter: filter safe is unknown (tried with the sample `one_critical`)\n  \
             hint: docs/templates.md lists every name",
        ),
        (
            "says nothing",
            "{% for item in items %}x{% endfor %}",
            "dba.j2:1: it says nothing (tried with the sample `digest_fine`)\n  \
             hint: {{ title }} always says something",
        ),
        ("control character", "a\nb\u{1}", "dba.j2:2: a control character\n  hint: remove it"),
        (
            "never ends",
            "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}",
            "dba.j2:1: engine ran out of fuel (tried with the sample `one_critical`)\n  \
             hint: a loop in it is too long",
        ),
    ] {
        let error = Template::read(template, "dba.j2").expect_err(name);
        assert_eq!(error.to_string(), want, "{name}");
    }
}

#[test]
fn items_are_left_out_until_it_fits_and_that_is_said() {
    let message = samples::five_hundred();
    let each = "{{ title }}\n{% for item in items %}{{ item.line }}\n{% endfor %}";
    for (name, template, want) in [
        ("in our words", each.to_owned(), "… and "),
        ("in its own", format!("{each}plus {{{{ left_out }}}}"), "plus "),
    ] {
        let template = read(&template);
        let setting = Setting { template: Some(&template), ..samples::setting(Locale::En) };
        let budget = Budget { limit: 3900, unit: Unit::JsonBytes, parts: 3 };
        let parts = parts(&message, &setting, &PlainText, budget);
        assert_eq!(parts.len(), 1, "{name}");
        let size = measure(&parts[0].text, budget.unit);
        assert!((3600..=3900).contains(&size), "{name}: {size}");
        let shown = parts[0].text.lines().filter(|line| line.contains(" UTC")).count();
        let left_out = message.items.len() + message.left_out - shown;
        assert!(parts[0].text.contains(&format!("{want}{left_out}")), "{name}: {}", parts[0].text);
        assert!(parts[0].text.contains(samples::ID), "{name}");
    }
}

#[test]
fn a_template_that_is_too_long_gives_way_to_our_words() {
    let template = read(&"{{ title }} and much more ".repeat(40));
    let setting = Setting { template: Some(&template), ..samples::setting(Locale::En) };
    let budget = Budget { limit: 1000, unit: Unit::Characters, parts: 1 };
    let parts = parts(&samples::one_critical(), &setting, &PlainText, budget);
    assert!(parts[0].text.contains("Stage: critical, was warning"), "{}", parts[0].text);
}

#[test]
fn the_event_id_is_shown_once() {
    for (template, times) in
        [("{{ title }}", 1), ("{{ title }} {{ event_id }}", 1), ("{{ title }}{{ footer }}", 1)]
    {
        let text = written(template, &samples::one_critical());
        assert_eq!(text.matches(samples::ID).count(), times, "{template}: {text}");
    }
}

fn docs() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/templates.md");
    std::fs::read_to_string(path).expect("the documentation is there")
}

#[test]
fn the_documentation_lists_every_name_and_no_other() {
    let docs = docs();
    let rows = docs.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let mut listed: Vec<&str> = rows.collect();
    let mut known = names();
    for names in [&mut listed, &mut known] {
        names.sort_unstable();
        names.dedup();
    }
    assert_eq!(listed, known);
}

#[test]
fn the_examples_of_the_documentation_work() {
    let docs = docs();
    let examples: Vec<&str> =
        docs.split("```jinja\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert_eq!(examples.len(), 2);
    let mut all = String::new();
    for (example, locale) in examples.into_iter().zip([Locale::En, Locale::Zh]) {
        let template = read(example);
        let setting = Setting { template: Some(&template), ..samples::setting(locale) };
        for message in [samples::five_mixed(), samples::digest(), samples::test()] {
            let text = &parts(&message, &setting, &PlainText, WIDE)[0].text;
            all.extend(["========\n", text, "\n\n"]);
        }
    }
    crate::notifier::text::tests::assert_expected("templates.txt", &all);
}

#[test]
fn reading_a_template_takes_no_time_worth_mentioning() {
    let began = Instant::now();
    read("{{ title }}{% for item in items %}{{ item.line }}{{ item.lines }}{% endfor %}");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}
