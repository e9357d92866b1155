//! Landlock: the calling thread, and those that it starts, reach only what [`Needs`] names, listen on nothing new, and
//! send no signal to another program.

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, CompatLevel, Compatible as _, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, RulesetError, RulesetStatus, Scope, path_beneath_rules,
};

use super::Needs;

/// The rules that the agent was tested with. An older kernel enforces those of them that it knows.
const TESTED: ABI = ABI::V6;

/// The degree to which Landlock restricts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Landlock {
    /// All requested rules.
    Full,
    /// The rules that this kernel supports.
    Partial,
    /// None: the kernel has no Landlock, or it is switched off.
    None,
}

/// Whether the running kernel has Landlock, and it is on.
pub fn knows_landlock() -> bool {
    Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(ABI::V1))
        .and_then(Ruleset::create)
        .is_ok()
}

/// Restricts this thread and those that it starts.
pub(super) fn restrict(needs: &Needs) -> Result<Landlock, RulesetError> {
    let reading = AccessFs::ReadFile | AccessFs::ReadDir;
    let all = AccessFs::from_all(TESTED);
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(all)?
        .handle_access(AccessNet::BindTcp)?
        .scope(Scope::AbstractUnixSocket | Scope::Signal)?
        .create()?
        // Missing files are skipped.
        .add_rules(path_beneath_rules(&needs.read, reading))?
        .add_rules(path_beneath_rules(
            &needs.remove,
            AccessFs::RemoveFile | AccessFs::MakeSock,
        ))?
        .add_rules(path_beneath_rules(&needs.write, all & !AccessFs::Execute))?;
    if needs.commands {
        rules = rules.add_rules(path_beneath_rules(["/"], reading | AccessFs::Execute))?;
    }
    Ok(match rules.restrict_self()?.ruleset {
        RulesetStatus::FullyEnforced => Landlock::Full,
        RulesetStatus::PartiallyEnforced => Landlock::Partial,
        RulesetStatus::NotEnforced => Landlock::None,
    })
}
