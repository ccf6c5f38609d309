// Every word of the page, in English. A translation is a second file with the same keys.

const s = (count, one, many = `${one}s`) => `${count} ${Number(String(count).replace(/\D/g, "")) === 1 ? one : many}`;

export const text = {
  menu: "Menu", close: "Close", cancel: "Cancel", save: "Save", saved: "Saved.", undo: "Undo", undone: "Undone.", tryAgain: "Try again", loading: "Loading …", unknown: "unknown",
  odds: (n) => `1 in ${n}`,
  screens: {
    recognise: "Recognise", people: "People", person: "Person", enrol: "Enrol", review: "Review", albums: "Albums", photo: "Photo", cameras: "Cameras", sure: "How sure", privacy: "Privacy", settings: "Settings",
  },
  errors: {
    noAnswer: "The service does not answer. Is it still running?", unclear: (status) => `The service answered ${status}.`, ours: "Something on this page went wrong.",
    notThere: "This service does not offer this.", number: (id) => `Request ${id}`,
  },
  signIn: {
    title: "Sign in", link: "Open the link that “multiface serve start” printed; it works once, within ten minutes. “multiface serve link” makes another.", key: "Or a key", where: "It starts with mf_; “multiface serve keys new” makes one.",
    enter: "Sign in", ended: "Your session has ended. Sign in again.",
  },
  picker: { name: "Name", nobody: "Choose a person or type a name.", alike: (n) => `similarity ${n}`, list: "People with this name", fresh: "new person", again: "another person with this name" },
  intake: { choose: "Choose pictures" },
  camera: { use: "Use the camera", sees: "Camera view", take: "Take a picture", off: "Camera off", none: "No camera is available.", refused: "The browser does not let this page use the camera." },
  jobs: {
    starting: "Starting …", waiting: "Waiting for its turn", progress: (done, total) => `${done} of ${total}`, progressOf: (done) => `${done} so far`, cancel: "Stop", cancelled: (label) => `${label}: stopped.`, failed: "It failed; the service’s log says why.",
  },
  why: {
    known: "Similarity to {name}: {similarity}. A name needs {threshold}, which about {rate} strangers reach.",
    "below threshold": "Nobody is similar enough: {name} comes closest with {similarity}, but {threshold} is needed.",
    "runner-up too near": "{name} ({similarity}) and {other} ({second}) are too close to tell apart.",
    "the person is another face of this picture": "{name} is already another face in this picture ({similarity} here).",
    "nobody enrolled": "Nobody is enrolled yet, so everybody is unknown.",
    "picture too poor": "The picture is too poor to decide.",
    otherwise: "No decision was made.",
    poor: (what) => `The face: ${what}.`,
    extrapolated: "This rate is beyond what was measured.",
  },
  recognise: {
    title: "Recognise", drop: "Drop pictures anywhere here, or paste them.", nobodySeen: "No face in sight.", sees: "In sight: {who}",
    looking: "Looking …", taken: "Picture from the camera", alt: (n) => `The picture, with ${s(n, "face")}; the names are beside it`, notShown: "This browser cannot show this kind of picture.",
    found: (n, known) => (n === 0 ? "No face was found." : `${s(n, "face")}, ${known} known.`), damaged: "The file is damaged; only its readable part was searched.",
    runnerUp: "Runner-up: {name}, {similarity}", thisIs: "This is …", somebodyElse: "This is somebody else …", thisIsTitle: "Who is this?", who: "Name", thisIsWhat: "The face is added to the person’s pictures.",
    alike: (n) => `similarity ${n}`, saved: (name) => `The face was added to ${name}.`, learnt: "Named by you.",
  },
  people: {
    title: "People", search: "Search by name", group: "Group", everybody: "Everybody", groupOf: (name, n) => `${name} (${n})`, enrol: "Enrol somebody", pictures: (n) => s(n, "picture"), more: "Show more",
    shown: (n, more) => (more ? `${n} shown; there are more.` : `${n} shown.`), empty: "Nobody is enrolled yet. Enrol somebody with a few pictures, and MultiFace will recognise them.", nobodyCalled: "Nobody is called", enrolCalled: "Enrol this name",
  },
  person: {
    add: "Add pictures", edit: "Edit", merge: "Merge", pictures: "Pictures", photos: "Photos", about: "About", lastSeen: "Last seen", changes: "Changes", own: "Their data", ownWhat: "Export or delete everything that is kept about this person.",
    export: "Export", remove: "Remove", groups: "Groups", note: "Note", external: "External id", created: "Since", noPictures: "No pictures.", pictureOf: (k, when) => `Picture ${k}, added ${when}`,
    isCover: (what) => `${what}: the cover`, makeCover: (what) => `${what}: make it the cover`, coverHow: "Choose one to be the cover.", coverSet: "Cover changed.", noPhotos: "In no photo of the albums.", filmOf: (when) => `Film of ${when || "an unknown day"}`, photoOf: (when) => `Photo of ${when || "an unknown day"}`,
    inPhoto: "In a photo of {when}", aPhoto: "an unknown day", byCamera: "By {camera}, {when}", notSeen: "Not in a photo, nor by a camera.",
    name: "Name", groupsHow: "Separate them with commas.", mergeTitle: "Merge two people", mergeWhat: "Everything of the other person goes to {name}, whose name and cover stay. You can undo this.", other: "The other person", chooseOther: "Choose the other person.", merged: "The two people were merged.",
  },
  changes: {
    enrol: "Pictures added", rename: "Renamed", edit: "Edited", merge: "Merged with somebody", split: "Pictures taken out", undo: "A change undone", name: "Unknown person named", album: "Faces of albums corrected", reembed: "Vectors recomputed", none: "Nothing in the last 30 days.", undone: "undone", undoOf: (what, when) => `Undo: ${what}, ${when}`,
  },
  removal: {
    title: "Remove a person for good", what: "This is kept about {name} and will be deleted:", final: "This cannot be undone. Earlier backups still contain the person.", sure: "I am sure", remove: "Remove for good", done: "The person was removed.", nothing: "Nothing is kept.",
    place: (place, n) => `${place}: ${n}`, days: (n) => `(${n} days)`,
    places: { templates: "Vectors of faces", crops: "Small pictures of faces", album_faces: "Faces in albums", faces_said_not_to_be: "Faces marked as somebody else", events: "Camera events", strangers: "Unknown people merged in", changes: "Changes that could be undone", caches: "Caches", sidecars: "XMP sidecars" },
  },
  enrol: {
    title: "Enrol somebody", more: "Add pictures", lead: "Three to five pictures work best: different days and light, one face each, looking roughly at the camera.", who: "Who is it?", pictures: "Pictures", drop: "Drop pictures anywhere here, or paste them. Each is checked before anything is saved.",
    save: "Save these pictures", looking: "Looking …", taken: "Picture from the camera", noneChosen: "No picture is chosen.", nameMissing: "Say who it is.", ready: (n) => `${s(n, "picture")} will be saved.`,
    notLooked: "It will be checked when it is saved.", noFace: "No face was found.", severalFaces: (n) => `${n} faces: the largest is used.`, isAlready: "This is recognised as {name} ({similarity}).", moreLike: "More similar to {name} ({similarity}) than to {wanted}.",
    poor: (what) => `Poor: ${what}.`, small: "The face is small; come closer, or take a larger picture.", fine: "Good.", onlyOne: "Only one face, please.", closer: "Come closer.", good: "Good. Take the picture.",
    saving: "Saving …", saved: (name, n) => `${s(n, "picture")} of ${name} saved.`, see: "Show the person", another: "Somebody else", refused: (why) => `Not saved: ${why}`, taken_: "Saved.",
  },
  review: {
    title: "Review", lead: "Faces without a name, the most often seen first.", which: "Which faces", groups: "Unknown people", singles: "Single faces", ignored: "Ignored", list: "Unknown people", keys: "Keys", more: "Show more",
    none: "No unknown people are left.", noneIgnored: "Nobody is ignored.", noSingles: "No single faces are left.", stranger: (n) => `Unknown ${n}`, sightings: (n) => `seen ${n === 1 ? "once" : `${n} times`}`, seen: (n, from, to) => `Seen ${n === "1" ? "once" : `${n} times`}, ${from} – ${to}.`,
    andMore: (n) => `And ${n} more.`, face: (k) => `Face ${k}`, photo: "Photo", near: "Closest is {name}: similarity {similarity}; a name needs {wanted}.", itIs: "It is", itIsNot: "It is not", name: "Name", merge: "Merge", ignore: "Ignore", unignore: "No longer ignore", apart: "Take out", apartHow: "Choose the faces of somebody else and take them out.",
    who: "Name", nameTitle: (n) => `Who is unknown ${n}?`, alike: (n) => `similarity ${n}`, named: (name) => `Named ${name}.`, ignoredNow: "Ignored.", unignored: "No longer ignored.", notNear: "Noted: not this person.", split: (n) => `Taken out as unknown ${n}.`,
    noOther: "There are no other unknown people.", mergeTitle: (n) => `Who is the same person as unknown ${n}?`, mergeWith: "The same person as (most similar first)", merged: "The two unknown people were merged.", poor: "too poor to compare",
    keysOn: "Use these keys", keyList: [["J →", "the next one"], ["K ←", "the one before"], ["B", "it is the closest person"], ["X", "it is not the closest person"], ["N", "give a name"], ["M", "merge with another unknown person"], ["I", "ignore"], ["S", "take the chosen faces out"], ["U", "undo"], ["?", "this list"]],
  },
  albums: {
    title: "Albums and photos", folders: "Folders", find: "Find photos", add: "Add a folder", names: "Write names beside the photos", who: "Who is in it?", chosen: "Chosen people", how: "These people", all: "all of them", any: "any of them", only: "only them", unknown: "with somebody unknown", since: "From", until: "To", more: "Show more",
    without: (name) => `Without ${name}`, noDate: "Without a date", shown: (n, more) => (more ? `${n} photos shown; there are more.` : s(n, "photo")), none: "No photos yet. Add a folder to find every face in it.", noneFound: "No photo matches.",
    alt: (when, who, unknown) => `Photo${when ? ` of ${when}` : ""}${who ? `: ${who}` : ""}${unknown ? `${who ? " and" : ":"} ${unknown} unknown` : ""}`, film: (when, who) => `Film${when ? ` of ${when}` : ""}${who ? `: ${who}` : ""}`, noFolders: "There is no folder yet.", counts: (photos, films) => `${photos} photos, ${films} films`, scanned: (when) => `scanned ${when}`, scan: "Scan again", scanning: "Scanning the photos", forget: "Forget",
    done: () => "The photos were scanned.", folder: "Folder on the service’s machine", folderHow: "Its photos are read and never changed.", forgetWhat: (folder) => `What was found in ${folder} is forgotten. The photos stay.`, namesWhat: "Beside every photo with a known face an XMP file is written for other programs to read. The photos are not changed.", writing: "Writing names", written: () => "The names are written.",
  },
  photo: {
    title: "Photo", taken: (when) => `Photo of ${when}`, alt: (n) => `The photo, with ${s(n, "face")}; the names are beside it`, who: "Who is in it", nobody: "No face was found.", film: "Films have no picture here, but their faces do.", moments: (a, b) => `from ${a} to ${b}`, ignored: (n) => `${n} ignored`, ignoreAll: "Ignore all who are unknown", byHand: "named by hand", found: "recognised", poor: "too poor to compare", stranger: (n) => `unknown ${n}`, single: "like nobody else",
    name: "Name", other: "Somebody else", not: "Not this person", ignore: "Ignore", unignore: "No longer ignore", notNow: "Noted: not this person.", ignoredNow: "Ignored.", unignored: "No longer ignored.", whoIs: "Who is it?", named: (name) => `Named ${name}.`,
    missed: "Mark a missed face", boxKeys: "The box: arrow keys move it, plus and minus change its size, Enter ends", boxHow: "Draw around the face, or click in its middle. With keys: arrows move the box, + and - change its size.", smaller: "Smaller", larger: "Larger", boxDone: "This is the face",
  },
  cameras: {
    title: "Cameras and events", cameras: "Cameras", events: "Events", add: "Add a camera", edit: "Edit", remove: "Remove", removeWhat: (name) => `The service stops watching ${name}. Its events are removed too.`, none: "No camera yet.", noEvents: "You may not see events.", connecting: "connecting …", live: "live", ended: "ended", onlyUnknown: "only unknown people",
    states: { running: "running", starting: "starting", waiting: "waiting", stopped: "stopped" }, since: (when) => `since ${when}`, webhook: "webhook", alert: "Tell me about unknown people", alertOn: "You will be told about unknown people.", alertOff: "You will no longer be told about unknown people.",
    fields: { name: "Name", source: "Address", password: "Password", webhook: "Webhook", keep_strangers: "Days to keep unknown people" }, hints: { source: "Such as rtsp://user@door/live.", password: "Stored, and never shown again.", webhook: "An https address that gets each event.", keep_strangers: "With a picture. Empty: none are kept." },
    keeps: (days) => `unknown people kept for ${days} days`, noWebhook: "Remove the webhook", webhookProblem: (why) => `webhook: ${why}`, pause: "Pause", goOn: "Resume",
    kinds: { appeared: "{who} appeared at {camera}", recognised: "{who} recognised at {camera}", changed: "now recognised as {who} at {camera}", left: "{who} left {camera}", unknown: "somebody unknown at {camera} ({who})", other: "{who} at {camera}" }, stranger: (n) => `unknown ${n}`, somebody: "Somebody unknown at {camera}, {when}.",
  },
  sure: {
    title: "How sure", lead: "No answer about a face is certain. These measured figures say how often a stranger gets a name.", now: (odds, people) => `Now: ${odds} strangers, with ${people} people`, threshold: (n) => `A name needs a similarity of at least ${n}.`, slider: "How many strangers may get a name",
    inWords: (odds, n) => `${odds} strangers gets a name; ${n} is needed.`, between: (high, low) => `Measured, between ${high} and ${low}.`, beyond: "This is beyond what was measured, so it is an estimate.", chart: "Curve: the higher the similarity that is needed, the fewer strangers get a name. The table below has its figures.", axis: "similarity that is needed", source: "Measured on:", toChange: "The service was started with its rate; “multiface serve start --rate” sets another.",
    asTable: "The curve as a table", columns: ["Strangers with a name", "Similarity needed", "Unknown of 100 pictures of known people", "95 % interval"], missed: (n) => `Of 100 pictures of people who are known, about ${n} would stay unknown.`, notMeasured: "not measured",
    own: "Does it work on your people?", ownWhat: "Each picture is left out in turn and recognised with the rest.", check: "Try it", checking: "Trying your pictures", result: (good, all, people) => `${good} of ${s(all, "picture")} of ${people} people were recognised.`, unknown: (n) => `${n} would be unknown.`, wrong: (n) => `${n} would get the wrong name:`, noneWrong: "None would get a wrong name.", taken: "{who} as {other} ({similarity})",
    pairs: "Who is most alike", pairsWhat: "Perhaps one person enrolled twice, or people who are hard to tell apart.", nobody: "Nobody is enrolled yet, so there is nothing to show.", noPairs: "Fewer than two people are enrolled.", and: "and", tooAlike: (n, t) => `similarity ${n}: above ${t}, so they may be taken for each other`, apart: (n, t) => `similarity ${n}; ${t} would be too high`,
  },
  privacy: {
    title: "Privacy", one: "One person", oneWhat: "Export what is kept about a person, or remove it everywhere at once.", who: "Name", export: "Export", remove: "Remove", kept: "What is kept", log: "What was done", logWhat: "For 30 days; most of it can be undone.",
    keptList: ["Pictures that are only recognised are not kept.", "For enrolled pictures, a vector and a small picture of the face are kept until the person is removed.", "For albums, the positions and vectors of faces are kept until the folder is forgotten; photos are never changed.", "For cameras, events are kept for 30 days, and unknown people for as long as you chose.", "The log has no names and no pictures.", "Nothing leaves this machine except what you send to webhooks."],
  },
  settings: {
    title: "Settings", session: "Session", open: "This service needs no key: anyone who uses this machine can use it.", signedIn: (name, when) => `Signed in by ${name === "link" ? "the link" : `the key “${name}”`}, until ${when}.`, may: "You may:", signOut: "Sign out",
    keys: "Keys", newKey: "New key", keysWhat: "Programs send a key with each request. Give each its own.", noKeys: "No keys yet.", used: (when) => `last used ${when}`, neverUsed: "never used", revokedAt: (when) => `revoked ${when}`, expires: (when) => `until ${when}`, revoke: "Revoke", revokeOf: (name) => `Revoke ${name}`, revokeWhat: "It is refused from the next request on, and everyone who signed in with it is signed out.",
    for: "It may", keyName: "What it is for", days: "Days until it expires (empty: never)", groups: "Only for these groups (empty: for everybody)", groupsHow: "Separate them with commas.", make: "Make the key", once: "Your new key", onceWhat: "It is shown only now.", key: "Key", copy: "Copy", copied: "Copied.", notCopied: "Copy it with Ctrl-C.", noted: "I have saved it",
    scopes: { recognise: "recognise", "people:read": "see people", "people:write": "change people", "pictures:read": "see pictures", "events:read": "see events", cameras: "run cameras", embed: "get vectors", admin: "everything" },
    backup: "Backup", backupWhat: "All enrolled people in one file, without albums, unknown people and cameras. Keep it as safe as the gallery.", backupNow: "Make a backup", backingUp: "Making a backup", download: "Download",
    system: "System", readOnly: "Nothing can be changed: the service was started with --read-only.", chosen: "Settings of the service", columns: ["Setting", "Value"],
    facts: { version: "Version", strangers: "Unknown people", gallery: "Gallery", weights: "Weights", detector: "Detector", people: "People", templates: "Pictures of people", faces: "Faces in albums", photos: "Photos", rate: "Rate" },
  },
  docs: {
    title: (version) => `Requests of MultiFace ${version}`, lead: "What programs can ask this service. Each request needs a key: Authorization: Bearer mf_…", page: "The page", asked: "Parameters", body: "Body", answers: "Answers:", inPath: "(in the path)", header: "(a header)", needed: "(required)", or: "or", listOf: "list of", rest: "Other",
  },
};
