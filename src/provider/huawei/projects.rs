//! From the projects of a key to the places that are watched: one for each region, and one for each sub-project,
//! whose instances are seen only under its own id.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::api::Place;
use super::endpoints::Templates;
use super::mapping::is_plain;
use super::wire::Project;

/// Which places the configuration wants.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Region ids; `None`: every one.
    pub regions: Option<Vec<String>>,
    /// Ids or names of projects; `None`: every one.
    pub projects: Option<Vec<String>>,
}

/// What the projects of a key come to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// To be watched.
    pub(super) places: BTreeSet<Place>,
    /// Rows without a readable id or name: there may be more places than these.
    pub(super) odd: usize,
    /// Regions left out because they are not known to have caches.
    pub(super) unknown_regions: BTreeSet<String>,
    /// What is configured and was not found: regions without a project, projects by id or name.
    pub(super) missing: BTreeSet<String>,
}

impl Wanted {
    /// The places, where nobody has to be asked for them: project ids of one region.
    pub(super) fn places(&self) -> Option<BTreeSet<Place>> {
        let [region] = self.regions.as_deref()? else { return None };
        let projects = self.projects.as_deref()?;
        let known = !projects.is_empty() && projects.iter().all(|project| is_project_id(project));
        known.then(|| projects.iter().map(|project| place(region, project)).collect())
    }

    /// Sorts out the projects that a key may use.
    pub(super) fn sort_out(&self, rows: &[Project], templates: &Templates) -> Found {
        let names: HashMap<&str, &str> =
            rows.iter().filter_map(|row| Some((row.id.text()?, row.name.text()?))).collect();
        let (mut found, mut seen) = (Found::default(), HashSet::new());
        for row in rows {
            let readable = row.id.text().is_some_and(is_plain) && row.name.text().is_some();
            found.odd += usize::from(!readable);
            let Some((id, name, region)) = usable(row, &names) else { continue };
            let wanted = self.wants_region(region) && self.wants_project(id, name);
            if wanted && self.regions.is_none() && !templates.serves(region) {
                found.unknown_regions.insert(region.to_owned());
            } else if wanted {
                found.places.insert(place(region, id));
            }
            seen.extend([id, name, region]);
        }
        let configured = [&self.regions, &self.projects].into_iter().flatten().flatten();
        found.missing = configured.filter(|word| !seen.contains(word.as_str())).cloned().collect();
        found
    }

    fn wants_region(&self, region: &str) -> bool {
        self.regions.as_ref().is_none_or(|regions| regions.iter().any(|wanted| wanted == region))
    }

    fn wants_project(&self, id: &str, name: &str) -> bool {
        self.projects.as_ref().is_none_or(|all| all.iter().any(|wanted| wanted == id || wanted == name))
    }
}

/// Id, name and region of a project that can have instances.
///
/// A region's own project is named as the region. A sub-project's parent is the project of its region; where that one
/// is not among the rows, its name tells: `{region}_{name}`.
fn usable<'a>(row: &'a Project, names: &HashMap<&'a str, &'a str>) -> Option<(&'a str, &'a str, &'a str)> {
    let (id, name) = (row.id.text().filter(|id| is_plain(id))?, row.name.text()?);
    let closed = row.enabled.flag() == Some(false) || row.is_domain.flag() == Some(true);
    let parent = row.parent_id.text().and_then(|parent| names.get(parent)).copied();
    // The parent of a region's own project is the account, which may be among the rows too.
    let parent = parent.filter(|name| is_region(name));
    let region = parent.unwrap_or(name);
    let region = region.split_once('_').map_or(region, |(region, _)| region);
    (!closed && is_region(region)).then_some((id, name, region))
}

/// `cn-north-4`; `MOS`, which belongs to object storage, is none. A region's name becomes part of a host name.
fn is_region(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    name.len() <= 64 && name.contains('-') && !name.starts_with('-') && name.bytes().all(plain)
}

/// 32 hexadecimal digits.
fn is_project_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn place(region: &str, project: &str) -> Place {
    Place { region: region.into(), project: project.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

    fn wanted(regions: Option<&[&str]>, projects: Option<&[&str]>) -> Wanted {
        let own =
            |list: Option<&[&str]>| list.map(|list| list.iter().map(|word| (*word).to_owned()).collect());
        Wanted { regions: own(regions), projects: own(projects) }
    }

    fn rows() -> Vec<Project> {
        let json = r#"[
            {"id":"p-north","name":"cn-north-4","parent_id":"account","enabled":true,"is_domain":false},
            {"id":"p-team","name":"cn-north-4_team","parent_id":"p-north","enabled":true},
            {"id":"p-odd","name":"anything_else","parent_id":"p-north","enabled":true},
            {"id":"p-orphan","name":"cn-east-3_team","parent_id":"not-listed","enabled":"true"},
            {"id":"p-mos","name":"MOS","parent_id":"account","enabled":true},
            {"id":"p-closed","name":"cn-south-1","enabled":false},
            {"id":"account","name":"acme","is_domain":true},
            {"id":"../x","name":"cn-north-1"},
            {"id":"p-hostile","name":"evil.example/-"},
            {"id":"p-none","name":null},
            {"id":"p-nowhere","name":"cn-nowhere-1","parent_id":"account"}
        ]"#;
        serde_json::from_str(json).expect("JSON")
    }

    fn places(wanted: &Wanted) -> Vec<String> {
        let found = wanted.sort_out(&rows(), &Templates::default());
        found.places.iter().map(|place| format!("{}/{}", place.region, place.project)).collect()
    }

    #[test]
    fn projects_and_sub_projects_come_with_their_region() {
        for (name, wanted, want) in [
            (
                "everything",
                wanted(None, None),
                &["cn-east-3/p-orphan", "cn-north-4/p-north", "cn-north-4/p-odd", "cn-north-4/p-team"][..],
            ),
            ("a region", wanted(Some(&["cn-east-3"]), None), &["cn-east-3/p-orphan"]),
            ("a project by id", wanted(None, Some(&["p-team"])), &["cn-north-4/p-team"]),
            ("a project by name", wanted(None, Some(&["cn-north-4"])), &["cn-north-4/p-north"]),
            ("both", wanted(Some(&["cn-east-3"]), Some(&["p-team"])), &[]),
            (
                "a region that we do not know",
                wanted(Some(&["cn-nowhere-1"]), None),
                &["cn-nowhere-1/p-nowhere"],
            ),
        ] {
            assert_eq!(places(&wanted), want, "{name}");
        }
    }

    #[test]
    fn rows_that_cannot_be_read_are_counted() {
        let found = wanted(None, None).sort_out(&rows(), &Templates::default());
        assert_eq!(found.odd, 2, "an id that cannot stand in a path, and no name");
    }

    #[test]
    fn what_is_left_out_is_told() {
        let found = wanted(None, None).sort_out(&rows(), &Templates::default());
        assert_eq!(found.unknown_regions, BTreeSet::from(["cn-nowhere-1".to_owned()]));
        let found = wanted(Some(&["cn-north-4", "cn-west-9"]), Some(&["p-north", "p-x"]))
            .sort_out(&rows(), &Templates::default());
        assert_eq!(found.missing, BTreeSet::from(["cn-west-9".to_owned(), "p-x".to_owned()]));
    }

    #[test]
    fn nobody_is_asked_where_ids_of_one_region_are_configured() {
        for (name, wanted, known) in [
            ("ids of one region", wanted(Some(&["cn-north-4"]), Some(&[A, B])), true),
            ("two regions", wanted(Some(&["cn-north-4", "cn-east-3"]), Some(&[A])), false),
            ("a name", wanted(Some(&["cn-north-4"]), Some(&["cn-north-4_team"])), false),
            ("no projects", wanted(Some(&["cn-north-4"]), None), false),
            ("no regions", wanted(None, Some(&[A])), false),
        ] {
            assert_eq!(wanted.places().is_some(), known, "{name}");
        }
    }
}
