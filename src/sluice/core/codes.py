"""The registry of error codes: one line each, in order. `docs/reference/errors.md` is generated from it.

A code's number and name never change once released; add at the end of its range.
"""

from __future__ import annotations

from sluice.core.problem import Code

# E1xx: the source could not be read.
AUTH_REFUSED = Code("E101", "AuthRefused", "the git host refused the credentials, or a needed one is missing")
REF_MISSING = Code("E102", "RefMissing", "the branch, tag, reference or repository does not exist, or is not visible")
HOST_UNVERIFIED = Code("E103", "HostUnverified", "the host key or TLS certificate is not the one that is trusted")
REMOTE_UNREACHABLE = Code("E104", "RemoteUnreachable", "name lookup, connection or transfer failed or took too long")
SOURCE_MISSING = Code("E105", "SourceMissing", "the source object does not exist or has no artifact yet")
URL_SCHEME = Code("E106", "UrlScheme", "the URL's scheme or transport is not allowed")
URL_SYNTAX = Code("E107", "UrlSyntax", "the URL is malformed, or holds credentials")
URL_BLOCKED = Code("E108", "UrlBlocked", "the URL points to an address that must not be reached")
REF_SYNTAX = Code("E109", "RefSyntax", "the branch, tag or reference name is not one that git allows")
SEMVER = Code("E110", "Semver", "the version range can't be parsed, or no tag satisfies it")
BAD_COMMIT = Code("E111", "BadCommit", "the commit is not a full hash, or not reachable from the branch")
REPO_EMPTY = Code("E112", "RepoEmpty", "the repository has no commit")
TREE_ENTRY = Code("E113", "TreeEntry", "the tree holds a path that could escape or confuse a checkout")
SUBMODULE = Code("E114", "SubmoduleInvalid", "a submodule's path, name or URL is not allowed, or can't be fetched")
REPO_TOO_BIG = Code("E115", "RepoTooBig", "the repository or one of its files is over a limit")
LFS_POINTER = Code("E116", "LfsPointer", "the file is a Git LFS pointer, and LFS is not supported")
INCLUDE_UNAVAILABLE = Code("E117", "IncludeUnavailable", "an included source does not exist or is not ready")
SOURCE_EMPTY = Code("E118", "EmptySource", "ignore rules or sparse checkout leave no file")

# E2xx: the revision can't be built or is not valid.
PATH_MISSING = Code("E201", "PathMissing", "the folder that spec.path names is not in this revision")
YAML_SYNTAX = Code("E202", "YamlSyntax", "the file is not valid YAML")
KUSTOMIZE_MISSING = Code("E203", "KustomizeMissing", "a kustomization lists a file or folder that does not exist")
UNKNOWN_FIELD = Code("E204", "UnknownField", "the object has a field that its schema does not")
VARIABLE_UNDEFINED = Code("E205", "VariableUndefined", "a substitution variable has no value")
DECRYPT = Code("E206", "Decrypt", "an encrypted file or value can't be decrypted")
UNKNOWN_KIND = Code(
    "E207", "UnknownKind", "the API server does not serve this kind, and no CRD of this revision adds it"
)
DUPLICATE_OBJECT = Code("E208", "DuplicateObject", "the same object is defined twice")
YAML_DUPLICATE_KEY = Code("E209", "YamlDuplicateKey", "a key stands twice in one map")
YAML_TAG = Code("E210", "YamlTag", "a YAML tag that names a programming language's type")
YAML_TOO_BIG = Code("E211", "YamlTooBig", "aliases expand to more nodes than allowed")
YAML_TOO_DEEP = Code("E212", "YamlTooDeep", "nesting is deeper than allowed")
FILE_TOO_BIG = Code("E213", "FileTooBig", "a file or the output of a renderer is over its limit")
MISSING_FIELD = Code("E214", "MissingField", "a field that every object needs is missing")
BAD_TYPE = Code("E215", "BadType", "a field has a value of the wrong type")
NOT_DECLARATIVE = Code("E216", "NotDeclarative", "the object uses generateName, which can't be kept in step with git")
BAD_NAME = Code("E217", "BadName", "a name breaks Kubernetes' rules")
BAD_LABEL = Code("E218", "BadLabel", "a label or annotation key or value breaks Kubernetes' rules")
NAMESPACE_NOT_ALLOWED = Code("E219", "NamespaceNotAllowed", "a cluster-scoped object names a namespace")
NAMESPACE_MISSING = Code("E220", "NamespaceMissing", "a namespaced object names no namespace and there is no default")
SERVER_FIELD = Code("E221", "ServerField", "a field that only the API server may set")
OWNER_UNKNOWN = Code("E222", "OwnerUnknown", "ownerReferences name an object outside this revision")
RESERVED_NAME = Code("E223", "ReservedName", "a label, annotation or finalizer that the operator keeps for itself")
BAD_BASE64 = Code("E224", "BadBase64", "a Secret's value is not base64")
OBJECT_TOO_BIG = Code("E225", "ObjectTooBig", "the object is larger than the API server stores")
ENCODING = Code("E226", "Encoding", "the file is not UTF-8 text")
PATH_NOT_ALLOWED = Code("E227", "PathNotAllowed", "a file name with control characters or direction marks")
BAD_NUMBER = Code("E228", "BadNumber", "a number that JSON can't hold")
JSON_SYNTAX = Code("E229", "JsonSyntax", "the file is not valid JSON")
PATH_ESCAPE = Code("E230", "PathEscape", "a path leads out of the source, by `..`, an absolute name or a symlink")
REMOTE_BASE_OFF = Code("E231", "RemoteBaseOff", "a kustomization names a remote base")
KUSTOMIZE_CYCLE = Code("E232", "KustomizeCycle", "kustomizations refer to each other in a circle")
KUSTOMIZE_AMBIGUOUS = Code("E233", "KustomizeAmbiguous", "a folder has more than one kustomization file")
PATCH_NO_TARGET = Code("E234", "PatchNoTarget", "a patch matches no object")
PATCH_INVALID = Code("E235", "PatchInvalid", "a patch can't be parsed or applied")
PLUGIN_OFF = Code("E236", "PluginOff", "a kustomization uses a plugin, a function or inflates a Helm chart")
REPLACEMENT = Code("E237", "ReplacementUnresolved", "a kustomize replacement finds no source or target")
KUSTOMIZE_FAILED = Code("E238", "KustomizeFailed", "kustomize could not build the folder")
UNSUPPORTED_VERSION = Code("E239", "UnsupportedVersion", "an apiVersion that is no longer, or not yet, known")
VARIABLE_INVALID = Code("E240", "VariableInvalid", "a substitution variable's name or expression is not valid")
LIST_NESTING = Code("E241", "ListNesting", "Lists are nested too deep")
RENDER_TIMEOUT = Code("E242", "RenderTimeout", "a renderer took longer than its limit")
CRD_INVALID = Code("E243", "CRDInvalid", "the API server refused a CRD, so the objects of its kind were not tried")
NOT_HONOURED = Code("E244", "NotHonoured", "a field or kind that this version of Sluice does not act on yet")
SPEC_INVALID = Code("E245", "SpecInvalid", "a field of the spec has a value that is not allowed")
FIELD_CONFLICT = Code("E246", "FieldConflict", "two fields or flags exclude each other")
REFERENCE_MISSING = Code("E247", "ReferenceMissing", "an object that the spec names does not exist")
CROSS_NAMESPACE = Code("E248", "CrossNamespace", "a reference to another namespace, which is switched off")
ENCRYPTED = Code("E249", "StillEncrypted", "a Secret is still encrypted with SOPS")

# E3xx: the cluster refused, or the objects did not become healthy.
IMMUTABLE_FIELD = Code("E301", "ImmutableField", "a field that can't be changed on an existing object")
ADMISSION_DENIED = Code("E302", "AdmissionDenied", "an admission webhook or policy refused the object")
HEALTH_FAILED = Code("E303", "HealthFailed", "an object reports that it failed")
HEALTH_TIMEOUT = Code("E304", "HealthTimeout", "objects did not become healthy in time")
QUOTA_EXCEEDED = Code("E305", "QuotaExceeded", "a ResourceQuota does not allow the object")
DEPENDENCY_NOT_READY = Code("E306", "DependencyNotReady", "a sync that this one depends on is not ready")
FIELD_CONFLICT_LIVE = Code("E307", "FieldOwned", "another field manager owns the field")
FORBIDDEN = Code("E308", "Forbidden", "the account may not do this")
PRUNE_FAILED = Code("E309", "PruneFailed", "an object that left git could not be deleted")
INVALID_OBJECT = Code("E310", "InvalidObject", "the API server's validation refused the object")
WEBHOOK_UNREACHABLE = Code("E311", "WebhookUnreachable", "an admission or conversion webhook did not answer")
API_UNAVAILABLE = Code("E312", "ApiUnavailable", "the API server did not answer, or asked to wait")
EMPTY_RENDER = Code("E313", "EmptyRender", "the revision has no objects, but the inventory has")
PRUNE_LIMIT = Code("E314", "PruneLimit", "the revision would prune more objects than allowed")
OWNED_BY_ANOTHER = Code("E315", "OwnedByAnother", "the object belongs to another sync")
SELF_PROTECT = Code("E316", "SelfProtect", "the object is part of the operator itself")
DEPENDENCY_CYCLE = Code("E317", "DependencyCycle", "syncs depend on each other in a circle")
NAMESPACE_TERMINATING = Code("E318", "NamespaceTerminating", "the namespace is being deleted")
NO_DRY_RUN = Code("E319", "NoDryRun", "the object can't be dry-run, because it might be written")
RECORD_UNREADABLE = Code("E320", "RecordUnreadable", "the operator's record of this sync can't be read")
OBJECT_DELETING = Code("E321", "ObjectDeleting", "the object is being deleted and waits for a finalizer")
NAMESPACE_ABSENT = Code("E322", "NamespaceAbsent", "the namespace does not exist and this revision does not create it")
UNDO_FAILED = Code("E323", "UndoFailed", "an object could not be taken back to what it was; it is tried again")
UNDO_KEPT = Code("E324", "UndoKept", "an undo left an object: it is, or holds, somebody else's, or can't go back")
OBJECT_CHANGED = Code("E325", "ObjectChanged", "the object was changed, deleted or recreated by somebody meanwhile")
CUT_SHORT = Code("E326", "CutShort", "a revision that was cut short was taken back, since the next can't be applied")
FIGHT = Code("E330", "Fight", "another writer keeps changing what git says, so the object is corrected less often")
DRIFTED = Code("E331", "Drifted", "an object is not as it was applied, and is left so because its drift mode is Warn")
DRIFT_MODE = Code("E332", "DriftMode", "the annotation sluice.dev/drift has a value that is not a drift mode")
NOT_ADOPTED = Code("E340", "NotAdopted", "the object exists, is not ours, and spec.adopt does not let it be taken over")
ROLLBACK_REFUSED = Code("E350", "RollbackRefused", "the revision that a rollback names can't be gone back to")
HAND_OVER = Code("E341", "HandOver", "an object that git has moved to another sync, which has not taken it yet")
BY_FLAGS = Code("E351", "ByFlags", "the operator runs by flags alone, and has no object to write a request on")
GROUP_NAME = Code("E360", "GroupName", "the annotation sluice.dev/group has a value that is no name")
GROUP_SOURCE = Code("E361", "GroupSource", "the Kustomizations of a group read different sources")
GROUP_ON_FAILURE = Code("E362", "GroupOnFailure", "a Kustomization of a group asks for something else than Undo")
GROUP_DEPENDENCY = Code("E363", "GroupDependency", "a Kustomization depends on another one of its own group")
GROUP_SUSPENDED = Code("E364", "GroupSuspended", "a Kustomization of the group is suspended, so it stands still")
GROUP_FAILED = Code("E365", "GroupFailed", "another Kustomization of the group failed, so none is applied")
GROUP_LEFT = Code("E366", "GroupLeft", "a Kustomization left its group in the middle of a transaction")
GROUP_ROLLBACK = Code("E367", "GroupRollback", "the Kustomizations of a group are asked to be at different revisions")
RECORD_VERSION = Code("E370", "RecordVersion", "the operator's record of this sync is of another version of Sluice")
RECORD_TOO_LARGE = Code("E371", "RecordTooLarge", "the operator's record of this sync would be too large to be written")
NEEDS_WORD = Code("E373", "NeedsWord", "a change that can't be undone needs a person's word")
RECORD_CHANGED = Code("E372", "RecordChanged", "somebody else has written the operator's record of this sync")
MAY_BE_MOVED = Code("E374", "MayBeMoved", "an object is kept, since a sync that stands still may be to take it over")
QUARANTINED = Code("E375", "Quarantined", "the operator died three times while it worked on this sync")
MACHINE_LIMIT = Code("E376", "MachineLimit", "the machine allows the operator no more processes, files or memory")

# E44x: a revision that contradicts itself, or is made of something else.
PRUNES_ITS_OWN = Code("E440", "PrunesItsOwn", "the revision prunes a Namespace or CRD that objects of it need")
PRUNES_OTHERS = Code("E442", "PrunesOthers", "the revision prunes a Namespace in which other syncs have objects")
HELM_CHART = Code("E441", "HelmChart", "the path holds a Helm chart, whose templates are no manifests")

# E5xx: images, from policy to commit. E501 to E519: references and policies.
IMAGE_REF = Code("E501", "ImageRef", "the text is not an image reference")
TAG_REJECTED = Code("E502", "TagRejected", "a registry lists, or a user names, a tag that can't be one")
REGEX_REJECTED = Code("E503", "RegexRejected", "a regular expression or its template can't be read, or is too long")
TAG_RANGE = Code("E504", "TagRange", "the version range of an image policy can't be parsed")
NO_MATCHING_TAG = Code("E505", "NoMatchingTag", "an image policy selects none of the tags")
TAG_GONE = Code("E506", "TagGone", "the chosen tag has left the registry, and nothing newer is there")
TAGS_INCOMPLETE = Code("E507", "TagsIncomplete", "not all tags of an image could be listed, so nothing is changed")
BUILD_TIME_UNKNOWN = Code("E508", "BuildTimeUnknown", "tags are ordered by build time, and that of one is not known")
TAG_NOT_A_NUMBER = Code("E509", "TagNotANumber", "tags are ordered as numbers, and one is none")
ANNOTATION_INVALID = Code("E510", "AnnotationInvalid", "an annotation that sets an image policy can't be read")

# E550 to E569: editing files, and the message of the commit.
VALUE_SHARED = Code("E550", "ValueShared", "a value to be changed is shared through an anchor, an alias or a merge")
VALUE_FORM = Code("E551", "ValueForm", "a value to be changed is written in a form that can't be changed in place")
EDIT_NOT_EXACT = Code("E552", "EditNotExact", "an edit would have changed more, or less, than it was meant to")
MARKER_SYNTAX = Code("E553", "MarkerSyntax", "an image policy marker can't be read")
MARKER_UNKNOWN = Code("E554", "MarkerUnknown", "a marker names an image policy that does not exist or is not selected")
MARKER_PLACE = Code("E555", "MarkerPlace", "a marker stands where there is no single value that it could mean")
MARKER_AMBIGUOUS = Code("E556", "MarkerAmbiguous", "two markers, or two requests, would change one value")
POLICY_UNRESOLVED = Code("E557", "PolicyUnresolved", "the image policy has not chosen what the marker asks for")
WORKLOAD_MISSING = Code("E558", "WorkloadMissing", "no file defines the workload")
CONTAINER_MISSING = Code("E559", "ContainerMissing", "the workload has no such container, or its image can't be read")
IMAGE_MISMATCH = Code("E560", "ImageMismatch", "the file has another image than the one that was to be replaced")
IMAGE_FORM = Code("E561", "ImageForm", "an image is given in a form that an update can't write")
METADATA_FORM = Code("E562", "MetadataForm", "the annotations of an object can't be changed where they are")
TEMPLATE_SYNTAX = Code("E563", "TemplateSyntax", "the template of the commit message can't be parsed")
TEMPLATE_FAILED = Code("E564", "TemplateFailed", "the template of the commit message stopped with an error")
TEMPLATE_LIMIT = Code("E565", "TemplateLimit", "the template of the commit message needs too much time or room")
TEMPLATE_FIELD = Code("E566", "TemplateFieldRemoved", "the template uses a field that Flux removed")
WORKLOAD_AMBIGUOUS = Code("E567", "WorkloadAmbiguous", "more than one file, or document, defines the workload")
IMAGE_ENTRY = Code("E568", "ImageEntry", "the entry of a kustomization that replaces an image can't be changed")

# E57x, E58x: what Sluice writes into git could not be committed or pushed.
PUSH_DECLINED = Code("E570", "PushDeclined", "the git host refused the push, by a hook or a rule of its own")
PROTECTED_BRANCH = Code("E571", "ProtectedBranch", "the git host protects the branch against this push")
PUSH_DENIED = Code("E572", "PushDenied", "the credentials may read the repository, but not write to it")
PUSH_RACE = Code("E573", "PushRace", "others kept pushing to the branch, so that no commit found its place")
BRANCH_NOT_OURS = Code("E574", "BranchNotOurs", "the branch to push to holds commits that Sluice did not make")
PUSH_REFSPEC = Code("E575", "PushRefspec", "the branch or refspec to push to is malformed, or forces or deletes")
PUSH_OPTION = Code("E576", "PushOption", "a push option can't be sent, or the git host takes none")
SIGNING_KEY = Code("E577", "SigningKey", "the key to sign commits with is missing or can't be used")
SIGNATURE_REQUIRED = Code("E578", "SignatureRequired", "commits must be signed, and the head or ours would not be")
EDIT_PATH = Code("E579", "EditPath", "a file that must not be written: outside the path, a symlink, in a submodule")
LEASE_TOO_SHORT = Code("E580", "LeaseTooShort", "the leader's lease could end before the push does")
GIT_READ_ONLY = Code("E581", "GitReadOnly", "something would be committed, but git is read-only here")
COMMIT_TEXT = Code("E582", "CommitText", "the commit's author or message can't be used")
NO_PUSH_BRANCH = Code("E583", "NoPushBranch", "nothing says which branch to push to")
NO_ATOMIC_PUSH = Code("E584", "NoAtomicPush", "the git host can't move two refs by one push that is all or nothing")
FLIPPED = Code("E585", "Flipped", "two writers keep changing an image to and fro, so it is left as it is")

# E520 to E549: image registries.
REGISTRY_AUTH = Code("E520", "RegistryAuth", "the registry refused the credentials, or needs some")
REPOSITORY_MISSING = Code("E521", "RepositoryMissing", "the registry has no such repository, or does not show it")
REGISTRY_UNREACHABLE = Code("E522", "RegistryUnreachable", "the registry did not answer, or answered with an error")
REGISTRY_LIMITED = Code("E523", "RegistryLimited", "the registry asked for fewer requests")
REGISTRY_ANSWER = Code("E524", "RegistryAnswer", "the registry's answer can't be read, or is over a limit")
IMAGE_DIGEST = Code("E525", "ImageDigest", "the registry sent other bytes than the digest names")
REALM_REFUSED = Code("E526", "RealmRefused", "the registry wants the credentials sent to a host that is not its own")

TAG_LISTING = Code("E528", "TagListing", "the list of tags does not end, or is longer than allowed")
MANIFEST_MISSING = Code("E529", "ManifestMissing", "the registry does not have the tag or the digest")
REGISTRY_REDIRECT = Code("E530", "RegistryRedirect", "the registry redirects to where a client must not follow")
REGISTRY_CREDENTIALS = Code(
    "E531", "RegistryCredentials", "registry credentials, certificates or a proxy can't be used"
)
CLOUD_TOKEN = Code("E532", "CloudToken", "a cloud's token service gave no credentials for its registry")
LABEL_TIME = Code("E533", "LabelTime", "an image's label holds a creation time that can't be read")
TAG_CACHE = Code("E534", "TagCache", "the cache of image tags was lost or can't be kept on disk; it is made again")
SCAN_TIMEOUT = Code("E535", "ScanTimeout", "an image repository could not be scanned in its time")

# E59x: objects of the image kinds.
ACCESS_DENIED = Code("E590", "AccessDenied", "an ImageRepository does not let the namespace of a policy refer to it")
IMAGE_REJECTED = Code("E591", "ImageRejected", "somebody changed a value that an image update wrote; it is left so")
IMAGE_UNHEALTHY = Code("E592", "ImageUnhealthy", "a workload failed on an image, which is not written again by itself")

# E59x: objects of the notification kinds.
CEL_INVALID = Code("E595", "CelInvalid", "a CEL expression can't be read, or has no answer for what it is asked about")

# E6xx: access to the cluster, and installation.
KUBECONFIG_MISSING = Code("E601", "KubeconfigMissing", "no kubeconfig, or it has no such context")
KUBECONFIG_INVALID = Code("E602", "KubeconfigInvalid", "the kubeconfig can't be read, or uses what is switched off")
UNAUTHENTICATED = Code("E603", "Unauthenticated", "the API server does not accept the credentials")
NOT_INSTALLED = Code("E604", "NotInstalled", "the CRDs are not installed in this cluster")
ALREADY_INSTALLED = Code("E605", "AlreadyInstalled", "another installation is in the way")
LEASE_HELD = Code("E606", "LeaseHeld", "another controller holds the lease")

# E64x: who signed, and as whom objects are applied.
SIGNATURE_MISSING = Code("E640", "SignatureMissing", "a commit or tag must be signed, and is not")
SIGNER_UNKNOWN = Code("E641", "SignerUnknown", "a commit or tag is signed by a key that is not trusted")
SIGNER_EXPIRED = Code("E642", "SignerExpired", "a commit or tag is signed by a key that has run out or was revoked")
SIGNATURE_INVALID = Code("E643", "SignatureInvalid", "a signature does not fit what it is on, or can't be read")
VERIFY_KEYS = Code("E644", "VerifyKeys", "the public keys to verify signatures with are missing or can't be used")
VERIFY_MODE = Code("E645", "VerifyMode", "the signature of a tag is asked for where no tag is followed")
ACCOUNT_MISSING = Code("E646", "AccountMissing", "the service account to apply objects as does not exist")
GITHUB_APP = Code("E647", "GitHubApp", "a GitHub App can't be used as its Secret says, or gets no token")

# E648: a base whose overlay has the last word.
IMAGE_OVERRIDDEN = Code("E648", "ImageOverridden", "an image written into a base would not be what its overlay builds")

# E66x: images that no automation can write.
POLICY_UNMARKED = Code("E660", "PolicyUnmarked", "no file that an image automation may edit names the policy")

# E67x: calls to receivers.
TOKEN_ISSUER = Code("E670", "TokenIssuer", "the issuer of the tokens that callers prove themselves by can't be asked")
TOKEN_KEYS = Code("E671", "TokenKeys", "what an issuer of tokens answers about itself can't be used")
# E61x: automation by annotations.
WORKLOAD_NOT_RUNNING = Code("E610", "WorkloadNotRunning", "an automated workload is in git, but not in the cluster")
IMAGE_EXCLUDED = Code("E611", "ImageExcluded", "flags of the operator keep an image from being scanned")
PULL_SECRET = Code("E612", "PullSecret", "a workload's imagePullSecrets can't be used to scan its images")
FLAG_FILE = Code("E613", "FlagFile", "a file that a flag names can't be read or used")
# E62x: releases, policies and syncs that are asked of the operator.
UPDATE_REQUEST = Code(
    "E620", "UpdateRequest", "a release, policies or a sync were asked for in a form that can't be read"
)
UPDATE_TARGET = Code("E621", "UpdateTarget", "no repository holds what an update is asked for")
JOB_QUEUE_FULL = Code("E622", "JobQueueFull", "more updates wait to be carried out than are kept")
CONTAINERS_REFUSED = Code("E623", "ContainersRefused", "containers are not as a release of chosen containers expects")
NO_CHANGES = Code("E624", "NoChanges", "a release of chosen containers would change nothing")
IMAGE_ABSENT = Code("E625", "ImageAbsent", "the image that is to be released is not in its registry")
UPDATE_BUG = Code("E627", "UpdateBug", "a bug ended an update that was asked of the operator")
JOBS_UNREADABLE = Code("E626", "JobsUnreadable", "the operator's record of updates can't be read")

# E63x: fluxd's HTTP API.
API_TOKEN = Code("E630", "ApiToken", "the file with the token of fluxd's HTTP API can't be used")
DEPLOY_KEY = Code("E631", "DeployKey", "the deploy key of git can't be read, or is not the operator's to replace")
COMMIT_UNKNOWN = Code("E632", "CommitUnknown", "a client asks about a commit that is in the history of no source")

# E68x: manifests that the commands of a .flux.yaml make.
FLUX_YAML_INVALID = Code("E680", "FluxYamlInvalid", "a .flux.yaml does not have the form of version 1")
COMMAND_FAILED = Code("E681", "CommandFailed", "a command of a .flux.yaml ended with an error")
COMMAND_LIMIT = Code("E682", "CommandLimit", "a command of a .flux.yaml went over a limit and was ended")
GENERATED_INVALID = Code(
    "E683", "GeneratedInvalid", "what the generators of a .flux.yaml print can't be read as manifests"
)
PATCH_STALE = Code("E684", "PatchStale", "a patch file names an object that is not generated, or can't be applied")
NO_UPDATER = Code("E685", "NoUpdater", "a .flux.yaml has no updater for what is to be changed")
UPDATE_REJECTED = Code(
    "E686", "UpdateRejected", "an update did not change exactly what it was to change in the generated manifests"
)
UPDATED_FILE = Code("E687", "UpdatedFile", "an updater deleted a file, or left one that can't be committed")
COMMAND_START = Code("E688", "CommandStart", "a command of a .flux.yaml could not be started")

# E7xx: the command line.
USAGE = Code("E701", "Usage", "a flag or an argument can't be used so")
TARGET_MISSING = Code("E702", "TargetMissing", "the named object does not exist")
SECRET_ARGUMENT = Code("E703", "SecretArgument", "a secret was given as an argument")
FILE_MISSING = Code("E704", "FileMissing", "a file or folder that was named does not exist or can't be read")
SUSPENDED = Code("E705", "Suspended", "the object is suspended")
WAIT_TIMEOUT = Code("E706", "WaitTimeout", "the wait ended before the outcome was known")

# E71x and E72x: what looking at the objects themselves finds.
OPERATOR_ABSENT = Code("E710", "OperatorAbsent", "no operator is at work in this cluster")
IMAGE_PULL = Code("E711", "ImagePull", "a pod's image can't be pulled")
CONTAINER_EXITS = Code("E712", "ContainerExits", "a container ends with an error, once for all or again and again")
UNSCHEDULABLE = Code("E713", "Unschedulable", "no node takes a pod")
POD_NOT_READY = Code("E714", "PodNotReady", "a pod's containers run, and do not become ready")
PODS_REFUSED = Code("E715", "PodsRefused", "a workload's pods can't be created")
CONFIG_MISSING = Code("E716", "ConfigMissing", "a container needs a ConfigMap, a Secret or a key that is not there")
VOLUME_PENDING = Code("E717", "VolumePending", "a volume claim is not bound")
UNMANAGED = Code("E718", "Unmanaged", "no sync has applied the object")
NOT_TRIED_YET = Code("E719", "NotTriedYet", "a revision is fetched and has not been tried yet")
BEING_DELETED = Code("E720", "BeingDeleted", "an object of ours is being deleted and waits")
ROLLED_BACK = Code("E721", "RolledBack", "the sync is at an earlier revision than git, as somebody asked")
INSTALLATION = Code("E722", "Installation", "the installation is not whole, or does not fit this cluster")
ORIGIN_UNKNOWN = Code("E723", "OriginUnknown", "the repository can't be read here, so files can't be named")

# E73x: notifications.
NOTIFY_ADDRESS = Code("E730", "NotifyAddress", "a provider has no address, or one that can't be used")
EGRESS_BLOCKED = Code("E731", "EgressBlocked", "a provider's address leads to where notifications must not be sent")
NOTIFY_SECRET = Code("E732", "NotifySecret", "the Secret of a provider lacks what its type needs, or can't be read")
NOTIFY_REFUSED = Code("E733", "NotifyRefused", "the receiver of a notification refused it")
NOTIFY_UNREACHABLE = Code(
    "E734", "NotifyUnreachable", "the receiver of a notification did not answer, or with an error; it is tried again"
)
NOTIFY_REDIRECT = Code("E735", "NotifyRedirect", "the receiver of a notification sends us elsewhere")
NOTIFY_EXPIRED = Code("E736", "NotifyExpired", "a notification could not be delivered in its time and was given up")
NOTIFY_OVERFLOW = Code("E737", "NotifyOverflow", "more notifications waited for a provider than are kept")
NOTIFY_REVISION = Code("E738", "NotifyRevision", "an event for a commit's status names no commit")
NOTIFY_CHANNEL = Code(
    "E739", "NotifyChannel", "a provider's channel is missing, or has not the form that its type needs"
)

# E65x: notifications, continued.
CHANGE_REQUEST_INVALID = Code("E650", "ChangeRequestInvalid", "an event names no number of a pull or merge request")

# E65x: updates that people ask for, continued.
UPDATE_IN_PARTS = Code("E651", "UpdateInParts", "an update of several repositories was not made in all of them")

# E65x: images, continued.
OBJECT_IDENTITY_OFF = Code(
    "E653", "ObjectIdentityOff", "the cloud identity of a ServiceAccount is asked for, and not allowed"
)
DIGEST_MISMATCH = Code("E652", "DigestMismatch", "an image's tag and the digest that pins it are of different images")

# E75x: releases and policies from the command line.
LOCAL_ONLY = Code("E750", "LocalOnly", "a flag is about a checkout, and no folder was named")
CHECKOUT_DIRTY = Code("E751", "CheckoutDirty", "what is to be committed has changes of yours, or is in no repository")
EDIT_RACE = Code("E752", "EditRace", "a file was changed by another while it was edited, or can't be written")
RELEASE_HELD = Code("E753", "ReleaseHeld", "a lock, an ignore or a pattern keeps the image from being released")
CHECKOUT_COMMIT = Code("E754", "CheckoutCommit", "git could not commit in the checkout")

# W4xx: warnings.
IGNORED_FIELD = Code("W401", "IgnoredField", "a field that the API server will not take from us")
SHADOWED_KEY = Code("W402", "ShadowedKey", "a Secret sets one key in data and in stringData")
ATTRIBUTES_IGNORED = Code("W403", "AttributesIgnored", "git attributes or LFS settings that are ignored by design")
CASE_COLLISION = Code("W404", "CaseCollision", "two paths differ only in case")
NOT_UNDOABLE = Code("W406", "NotUndoable", "a part of the revision that an undo could not take back")
COLLISION = Code("W407", "Collision", "an object needs what another one, pruned last by the same revision, still holds")
STRAY_OBJECTS = Code("W408", "StrayObjects", "objects carry a sync's labels, and nothing proves that they are its own")
API_WARNING = Code("W409", "ApiWarning", "the API server accepts an object and warns of something in it")
QUOTA_TIGHT = Code("W405", "QuotaTight", "a ResourceQuota has not enough for the pods of new workloads")

CODES: tuple[Code, ...] = tuple(
    sorted((value for value in list(globals().values()) if isinstance(value, Code)), key=lambda c: c.number)
)
