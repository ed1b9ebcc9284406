"""The specs of ImageRepository, ImagePolicy and ImageUpdateAutomation → what is wrong with them, beyond the schema.

Names of images, patterns, ranges, templates and refs are checked by those who read them.
"""

from __future__ import annotations

from sluice.api import image_policy, image_repository, image_update_automation
from sluice.api.image_policy import ImagePolicy
from sluice.api.image_repository import ImageRepository
from sluice.api.image_update_automation import ImageUpdateAutomation, LabelSelector
from sluice.api.validate import SpecRules, SpecSubject
from sluice.core.codes import FIELD_CONFLICT, IMAGE_REF, SPEC_INVALID
from sluice.core.errors import UserError
from sluice.core.ids import ResourceId
from sluice.core.image import ImageRef, ImageRefError, parse
from sluice.core.problem import Problem, clip
from sluice.core.selector import Requirement, requirement_of

CHOICES = ("semver", "alphabetical", "numerical", "buildTime")


def validate_image_repository(repository: ImageRepository) -> tuple[Problem, ...]:
    """Everything wrong with the spec at once; empty when a scan may begin. All of it is the user's to fix."""
    spec, meta = repository.spec, repository.metadata
    subject = SpecSubject(ResourceId(image_repository.GROUP, image_repository.KIND, meta.namespace, meta.name))
    return (
        *subject.check_duration("interval", spec.interval),
        *subject.check_duration("timeout", spec.timeout),
    )


def image_of(repository: ImageRepository) -> ImageRef:
    """The image whose tags are listed. Raises UserError (ImageRef) for what is no name, or more than one.

    >>> from sluice.api.image_repository import ImageRepositorySpec
    >>> from sluice.api.kinds import ObjectMeta
    >>> spec = ImageRepositorySpec(image="redis", interval="1m")
    >>> image_of(ImageRepository(metadata=ObjectMeta(name="a"), spec=spec)).canonical_name
    'docker.io/library/redis'
    """
    text, meta = repository.spec.image, repository.metadata
    subject = SpecSubject(ResourceId(image_repository.GROUP, image_repository.KIND, meta.namespace, meta.name))
    scheme, separator, _ = text.partition("://")
    try:
        found = parse(text) if not separator else None
    except ImageRefError as error:
        raise UserError(error.problem(subject.id, field="spec.image")) from None
    if found is None:
        title, fix = "spec.image begins with a URL's scheme", f"remove {clip(scheme, 20)}://"
    elif found.tag is not None or found.digest is not None:
        title, fix = "spec.image has a tag or a digest", f"write {found.name}"
    else:
        return found
    raise UserError(subject.problem(IMAGE_REF, "image", title, fix))


def validate_image_policy(policy: ImagePolicy, rules: SpecRules) -> tuple[Problem, ...]:
    """Everything wrong with the spec at once; empty when a choice may be made. All of it is the user's to fix."""
    spec, meta = policy.spec, policy.metadata
    subject = SpecSubject(ResourceId(image_policy.GROUP, image_policy.KIND, meta.namespace, meta.name))
    return (
        *_check_choice(subject, policy),
        *subject.check_duration("interval", spec.interval),
        *_check_interval(subject, policy),
        *subject.check_namespace("imageRepositoryRef.namespace", spec.imageRepositoryRef.namespace, rules),
    )


def _check_choice(subject: SpecSubject, policy: ImagePolicy) -> list[Problem]:
    """Flux takes the first of several, in an order that nobody can see: told instead."""
    given = [name for name in CHOICES if getattr(policy.spec.policy, name) is not None]
    if len(given) == 1:
        return []
    fix = f"set exactly one of {', '.join(CHOICES)}"
    if not given:
        return [subject.problem(SPEC_INVALID, "policy", "spec.policy says nothing", fix)]
    return [subject.problem(FIELD_CONFLICT, "policy", f"spec.policy has {' and '.join(given)}", fix)]


def _check_interval(subject: SpecSubject, policy: ImagePolicy) -> list[Problem]:
    """The schema's rule, for objects that were stored before there was one."""
    always = policy.spec.digestReflectionPolicy == "Always"
    if always == bool(policy.spec.interval):
        return []
    if always:
        title = "spec.interval must be set when spec.digestReflectionPolicy is set to 'Always'"
        return [subject.problem(SPEC_INVALID, "interval", title, "set spec.interval, such as 10m")]
    title = "spec.interval is only accepted when spec.digestReflectionPolicy is set to 'Always'"
    return [subject.problem(SPEC_INVALID, "interval", title, "remove spec.interval")]


def validate_image_update_automation(automation: ImageUpdateAutomation, rules: SpecRules) -> tuple[Problem, ...]:
    """Everything wrong with the spec at once; empty when a run may begin. All of it is the user's to fix."""
    spec, meta = automation.spec, automation.metadata
    kind, group = image_update_automation.KIND, image_update_automation.GROUP
    subject = SpecSubject(ResourceId(group, kind, meta.namespace, meta.name))
    return (
        *_check_git(subject, automation),
        *subject.check_duration("interval", spec.interval),
        *subject.check_path("update.path", spec.update.path),
        *subject.check_namespace("sourceRef.namespace", spec.sourceRef.namespace, rules),
        *_check_selector(subject, spec.policySelector),
    )


def _check_git(subject: SpecSubject, automation: ImageUpdateAutomation) -> list[Problem]:
    git = automation.spec.git
    if git is None:
        title = "spec.git is not set: who the commits are by is not known"
        return [subject.problem(SPEC_INVALID, "git", title, "set spec.git.commit.author.email")]
    author = git.commit.author
    return [
        subject.problem(
            SPEC_INVALID,
            f"git.commit.author.{field}",
            f"spec.git.commit.author.{field} {clip(value, 60)!r} can't stand in a commit",
            "write it without control characters and angle brackets",
        )
        for field, value in (("email", author.email), ("name", author.name))
        if not value.isprintable() or set("<>") & set(value) or (field == "email" and not value.strip())
    ]


def _check_selector(subject: SpecSubject, selector: LabelSelector | None) -> list[Problem]:
    try:
        requirements_of(selector)
    except ValueError as error:
        fix = "write it as Kubernetes' label selectors are written"
        return [subject.problem(SPEC_INVALID, "policySelector", f"spec.policySelector: {error}", fix)]
    return []


def requirements_of(selector: LabelSelector | None) -> tuple[Requirement, ...]:
    """What labels must satisfy, all of it; nothing for an unset selector. Raises ValueError saying what is wrong.

    >>> requirements_of(LabelSelector(matchLabels={"team": "a"}))[0].holds({"team": "a"})
    True
    """
    if selector is None:
        return ()
    labels = (requirement_of(key, "In", (value,)) for key, value in selector.matchLabels.items())
    terms = (requirement_of(term.key, term.operator, term.values) for term in selector.matchExpressions)
    return (*labels, *terms)
