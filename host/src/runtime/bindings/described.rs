//! Converts the contract's description, and what answers a form's questions, into this library's own.

use nodule_core::description::{DescriptionProblem, MAX_CHOICES, MAX_SIBLINGS, Parameter, Problems};
use nodule_core::question::{ChoicesPage, check_columns, check_page};

use super::choices;

nodule_core::description_of_contract!(super::description);

/// Converts and checks a page of values. A page of too many is refused before any of it is parsed.
pub(crate) fn page(page: choices::Page) -> Result<ChoicesPage, Vec<DescriptionProblem>> {
    few("choices", page.choices.len(), MAX_CHOICES)?;
    let mut documents = Documents::new();
    let values = page.choices.into_iter();
    let choices = values
        .map(|choice| documents.choice(choice, &|| "the page".to_owned()))
        .collect();
    let page = ChoicesPage {
        choices,
        next: page.next,
    };
    documents.problems.or(page).and_then(check_page)
}

/// Converts and checks columns. Too many are refused before any of them is parsed.
pub(crate) fn columns(
    columns: Vec<super::description::Parameter>,
) -> Result<Vec<Parameter>, Vec<DescriptionProblem>> {
    few("columns", columns.len(), MAX_SIBLINGS)?;
    let mut documents = Documents::new();
    let columns = columns.into_iter();
    let columns = columns.map(|column| documents.parameter(column)).collect();
    documents.problems.or(columns).and_then(check_columns)
}

fn few(what: &str, found: usize, most: usize) -> Result<(), Vec<DescriptionProblem>> {
    let mut problems = Problems::default();
    if found > most {
        problems.add(
            "the answer",
            format!("expected at most {most} {what}, found {found}"),
        );
    }
    problems.or(())
}
