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
    title: "Sign in", link: "Open the link that “multiface serve start” printed. It is good once, for ten minutes.", key: "Or a key", where: "It begins with mf_ and is made by “multiface serve keys new”.",
    enter: "Sign in", ended: "The session is over. Sign in again.",
  },
  picker: { name: "Name", nobody: "Choose somebody, or type a name.", alike: (n) => `${n} alike`, list: "People by this name", fresh: "new person", again: "another person of this name" },
  intake: { choose: "Choose pictures" },
  camera: { use: "Use the camera", sees: "What the camera sees", take: "Take a picture", off: "Camera off", none: "There is no camera that this page may use.", refused: "The browser was told not to let this page use the camera." },
  jobs: {
    starting: "Starting …", waiting: "Waiting for its turn", progress: (done, total) => `${done} of ${total}`, progressOf: (done) => `${done} so far`, cancel: "Stop", cancelled: (label) => `${label}: stopped.`, failed: "It failed; the log of the service has the reason.",
  },
  why: {
    known: "{similarity} alike to {name}. {threshold} is enough for a name; about {rate} strangers get that far.",
    "below threshold": "Nobody is alike enough: {name} is nearest with {similarity}, and {threshold} is needed.",
    "runner-up too near": "{name} ({similarity}) and {other} ({second}) are too near each other to tell.",
    "the person is another face of this picture": "{name} is another face of this picture already ({similarity} here).",
    "nobody enrolled": "Nobody is enrolled yet, so everybody is unknown.",
    "picture too poor": "The picture is too poor to decide.",
    otherwise: "It was not decided.",
    poor: (what) => `The face: ${what}.`,
    extrapolated: "This rate is beyond what was measured.",
  },
  recognise: {
    title: "Recognise", drop: "Drop pictures anywhere here, or paste them.", nobodySeen: "No face in sight.", sees: "In sight: {who}",
    looking: "Looking …", taken: "Picture from the camera", alt: (n) => `The picture, with ${s(n, "face")}; who they are stands beside it`, notShown: "This browser cannot show this kind of picture.",
    found: (n, known) => (n === 0 ? "No face was found." : `${s(n, "face")}, ${known} known.`), damaged: "The file is damaged; what could be read was looked at.",
    runnerUp: "Next: {name}, {similarity}", thisIs: "This is …", somebodyElse: "This is somebody else …", thisIsTitle: "Who is this?", who: "Name", thisIsWhat: "This face becomes one of the person’s pictures.",
    alike: (n) => `${n} alike`, saved: (name) => `The face is now one of ${name}.`, learnt: "Learnt from you.",
  },
  people: {
    title: "People", search: "Search by name", group: "Group", everybody: "Everybody", groupOf: (name, n) => `${name} (${n})`, enrol: "Enrol somebody", pictures: (n) => s(n, "picture"), more: "Show more",
    shown: (n, more) => (more ? `${n} shown; there are more.` : `${n} shown.`), empty: "Nobody is here yet. Enrol somebody with a few pictures, and MultiFace knows them from then on.", nobodyCalled: "Nobody is called", enrolCalled: "Enrol this name",
  },
  person: {
    add: "Add pictures", edit: "Edit", merge: "Merge", pictures: "Pictures", photos: "Photos", about: "About", lastSeen: "Seen last", changes: "Changes", own: "Their data", ownWhat: "Everything that is kept of this person: as a file, or gone.",
    export: "Export", remove: "Remove", groups: "Groups", note: "Note", external: "External id", created: "Since", noPictures: "There are no pictures.", pictureOf: (k, when) => `Picture ${k}, added ${when}`,
    isCover: (what) => `${what}: the cover`, makeCover: (what) => `${what}: make it the cover`, coverHow: "Choose one to be the cover.", coverSet: "The cover is changed.", noPhotos: "On no photo of the albums.", filmOf: (when) => `Film of ${when || "an unknown day"}`, photoOf: (when) => `Photo of ${when || "an unknown day"}`,
    inPhoto: "On a photo of {when}", aPhoto: "an unknown day", byCamera: "By {camera}, {when}", notSeen: "Neither on a photo nor by a camera.",
    name: "Name", groupsHow: "Separate them with commas.", mergeTitle: "Merge two people", mergeWhat: "All that belongs to the other one becomes part of {name}, whose name and cover stay. It can be undone.", other: "The other person", chooseOther: "Choose the other person.", merged: "Two people are one now.",
  },
  changes: {
    enrol: "Pictures added", rename: "Renamed", edit: "Edited", merge: "Merged with somebody", split: "Pictures taken out", undo: "Something undone", name: "Unknown person named", album: "Faces of albums corrected", reembed: "Vectors made anew", none: "Nothing in the last 30 days.", undone: "undone", undoOf: (what, when) => `Undo: ${what}, ${when}`,
  },
  removal: {
    title: "Remove a person for good", what: "This is kept of {name}, and goes:", final: "It cannot be undone. Backups made before still hold the person.", sure: "I am sure", remove: "Remove for good", done: "The person is removed.", nothing: "Nothing is kept.",
    place: (place, n) => `${place}: ${n}`, days: (n) => `(${n} days)`,
    places: { templates: "Vectors of faces", crops: "Small pictures of faces", album_faces: "Faces in albums", faces_said_not_to_be: "Faces said to be somebody else", events: "Events of cameras", strangers: "Unknown people merged in", changes: "Changes that could be undone", caches: "Caches", sidecars: "XMP sidecars" },
  },
  enrol: {
    title: "Enrol somebody", more: "Add pictures", lead: "Three to five pictures do best: different days and light, one face each, looking roughly at the camera.", who: "Who is it?", pictures: "Pictures", drop: "Drop pictures anywhere here, or paste them. Each is looked at before anything is kept.",
    save: "Keep these pictures", looking: "Looking …", taken: "Picture from the camera", noneChosen: "No picture is chosen.", nameMissing: "Say who it is.", ready: (n) => `${s(n, "picture")} will be kept.`,
    notLooked: "It will be looked at when it is kept.", noFace: "No face was found.", severalFaces: (n) => `${n} faces: the largest is meant.`, isAlready: "This is recognised as {name} ({similarity}).", moreLike: "More like {name} ({similarity}) than like {wanted}.",
    poor: (what) => `Poor: ${what}.`, small: "The face is small; come closer, or take a larger picture.", fine: "Good.", onlyOne: "Only one face, please.", closer: "Come closer.", good: "Good. Take the picture.",
    saving: "Keeping …", saved: (name, n) => `${s(n, "picture")} of ${name} kept.`, see: "See the person", another: "Somebody else", refused: (why) => `Not kept: ${why}`, taken_: "Kept.",
  },
  review: {
    title: "Review", lead: "Faces that nobody has named, most seen first.", which: "Which faces", groups: "Unknown people", singles: "Single faces", ignored: "Ignored", list: "Unknown people", keys: "Keys", more: "Show more",
    none: "Nobody unknown is left.", noneIgnored: "Nobody is ignored.", noSingles: "No single face is left.", stranger: (n) => `Unknown ${n}`, sightings: (n) => `seen ${n === 1 ? "once" : `${n} times`}`, seen: (n, from, to) => `Seen ${n === "1" ? "once" : `${n} times`}, ${from} – ${to}.`,
    andMore: (n) => `And ${n} more.`, face: (k) => `Face ${k}`, photo: "Photo", near: "Nearest is {name}: {similarity} alike, {wanted} is needed for a name.", itIs: "It is", itIsNot: "It is not", name: "Name", merge: "Merge", ignore: "Ignore", unignore: "No longer ignore", apart: "Take out", apartHow: "Choose faces of somebody else, and take them out.",
    who: "Name", nameTitle: (n) => `Who is unknown ${n}?`, alike: (n) => `${n} alike`, named: (name) => `Named ${name}.`, ignoredNow: "Ignored.", unignored: "No longer ignored.", notNear: "Noted: not this person.", split: (n) => `Taken out as unknown ${n}.`,
    noOther: "There is no other unknown person.", mergeTitle: (n) => `Who is the same as unknown ${n}?`, mergeWith: "The same person as (the most alike first)", merged: "Two unknown people are one now.", poor: "too poor to compare",
    keysOn: "Use these keys", keyList: [["J →", "the next one"], ["K ←", "the one before"], ["B", "it is the nearest person"], ["X", "it is not the nearest person"], ["N", "give a name"], ["M", "merge with another unknown person"], ["I", "ignore"], ["S", "take the chosen faces out"], ["U", "undo"], ["?", "this list"]],
  },
  albums: {
    title: "Albums and photos", folders: "Folders", find: "Find photos", add: "Add a folder", names: "Write names beside the photos", who: "With whom?", chosen: "Chosen people", how: "These people", all: "all of them", any: "any of them", only: "they and nobody else", unknown: "with somebody unknown", since: "From", until: "To", more: "Show more",
    without: (name) => `Without ${name}`, noDate: "Without a date", shown: (n, more) => (more ? `${n} photos shown; there are more.` : s(n, "photo")), none: "No photos yet. Add a folder, and every face in it is found.", noneFound: "No photo is like that.",
    alt: (when, who, unknown) => `Photo${when ? ` of ${when}` : ""}${who ? `: ${who}` : ""}${unknown ? `${who ? " and" : ":"} ${unknown} unknown` : ""}`, film: (when, who) => `Film${when ? ` of ${when}` : ""}${who ? `: ${who}` : ""}`, noFolders: "There is no folder yet.", counts: (photos, films) => `${photos} photos, ${films} films`, scanned: (when) => `looked through ${when}`, scan: "Look through again", scanning: "Looking through the photos", forget: "Forget",
    done: () => "The photos were looked through.", folder: "Folder on the machine of the service", folderHow: "Its photos are read and never changed.", forgetWhat: (folder) => `What was found in ${folder} is forgotten. The photos stay.`, namesWhat: "For every photo with a known face an XMP file is written beside it, which other programs read. The photos are not changed.", writing: "Writing names", written: () => "The names are written.",
  },
  photo: {
    title: "Photo", taken: (when) => `Photo of ${when}`, alt: (n) => `The photo, with ${s(n, "face")}; who they are stands beside it`, who: "Who is on it", nobody: "No face was found.", film: "A film has no picture here; its faces have.", moments: (a, b) => `from ${a} to ${b}`, ignored: (n) => `${n} ignored`, ignoreAll: "Ignore all who are unknown", byHand: "named by hand", found: "recognised", poor: "too poor to compare", stranger: (n) => `unknown ${n}`, single: "like nobody else",
    name: "Name", other: "Somebody else", not: "Not this person", ignore: "Ignore", unignore: "No longer ignore", notNow: "Noted: not this person.", ignoredNow: "Ignored.", unignored: "No longer ignored.", whoIs: "Who is it?", named: (name) => `Named ${name}.`,
    missed: "Mark a missed face", boxKeys: "The box: arrow keys move it, plus and minus change its size, Enter ends", boxHow: "Draw around the face, or click in its middle. With keys: arrows move the box, + and - change its size.", smaller: "Smaller", larger: "Larger", boxDone: "This is the face",
  },
  cameras: {
    title: "Cameras and events", cameras: "Cameras", events: "Events", add: "Add a camera", edit: "Edit", remove: "Remove", removeWhat: (name) => `The service looks at ${name} no more. Its events are removed too.`, none: "No camera yet.", noEvents: "You may not see events.", connecting: "connecting …", live: "live", ended: "ended", onlyUnknown: "only unknown people",
    states: { running: "running", starting: "starting", waiting: "waiting", stopped: "stopped" }, since: (when) => `since ${when}`, webhook: "webhook", alert: "Tell me of unknown people", alertOn: "Unknown people will be told.", alertOff: "Unknown people are told no more.",
    fields: { name: "Name", source: "Address", password: "Password", webhook: "Webhook", keep_strangers: "Keep unknown people for days" }, hints: { source: "Such as rtsp://user@door/live.", password: "It is kept, and never shown again.", webhook: "An https address that gets each event.", keep_strangers: "With a picture. Empty: not at all." },
    keeps: (days) => `unknown people kept for ${days} days`, noWebhook: "No webhook any more", webhookProblem: (why) => `webhook: ${why}`, pause: "Pause", goOn: "Go on",
    kinds: { appeared: "{who} appeared at {camera}", recognised: "{who} recognised at {camera}", changed: "now taken for {who} at {camera}", left: "{who} left {camera}", unknown: "somebody unknown at {camera} ({who})", other: "{who} at {camera}" }, stranger: (n) => `unknown ${n}`, somebody: "Somebody unknown at {camera}, {when}.",
  },
  sure: {
    title: "How sure", lead: "No answer about faces is certain. These figures were measured; they say how often a stranger gets a name.", now: (odds, people) => `Now: ${odds} strangers, with ${people} people`, threshold: (n) => `A name is given from a similarity of ${n} on.`, slider: "How many strangers may get a name",
    inWords: (odds, n) => `${odds} strangers gets a name; ${n} is needed.`, between: (high, low) => `Measured, between ${high} and ${low}.`, beyond: "This is beyond what was measured, so it is an estimate.", chart: "Curve: the higher the similarity that is needed, the fewer strangers get a name. The table below has its figures.", axis: "similarity that is needed", source: "Measured on:", toChange: "The service was started with its rate; “multiface serve start --rate” sets another.",
    asTable: "The curve as a table", columns: ["Strangers with a name", "Similarity needed", "Unknown of 100 pictures of known people", "95 % interval"], missed: (n) => `Of 100 pictures of people who are known, about ${n} would stay unknown.`, notMeasured: "not measured",
    own: "Does it work on your people?", ownWhat: "Each picture of everybody is taken out in turn, and recognised with the others.", check: "Try it", checking: "Trying your pictures", result: (good, all, people) => `${good} of ${s(all, "picture")} of ${people} people were recognised.`, unknown: (n) => `${n} would be unknown.`, wrong: (n) => `${n} would get the wrong name:`, noneWrong: "None would get a wrong name.", taken: "{who} as {other} ({similarity})",
    pairs: "Who is most alike", pairsWhat: "The same person twice, perhaps, or people to be told apart with care.", nobody: "Nobody is enrolled yet, so there is nothing to be sure about.", noPairs: "There are no two people yet.", and: "and", tooAlike: (n, t) => `${n} alike: above ${t}, so they are taken for each other`, apart: (n, t) => `${n} alike; ${t} would be too much`,
  },
  privacy: {
    title: "Privacy", one: "One person", oneWhat: "What is kept of a person can be handed out, and is removed everywhere at once.", who: "Name", export: "Export", remove: "Remove", kept: "What is kept", log: "What was done", logWhat: "For 30 days; most of it can be undone.",
    keptList: ["Pictures that are only recognised are not kept.", "Of enrolled pictures a vector and a small picture of the face are kept, until the person is removed.", "Of albums the places and vectors of faces are kept, until the folder is forgotten; photos are never changed.", "Of cameras events and unknown people are kept as the service was told.", "The log has no names and no pictures.", "Nothing leaves this machine but what you send to webhooks."],
  },
  settings: {
    title: "Settings", session: "Session", open: "This service needs no key: whoever can use this machine can use it.", signedIn: (name, when) => `Signed in by ${name === "link" ? "the link" : `the key “${name}”`}, until ${when}.`, may: "You may:", signOut: "Sign out",
    keys: "Keys", newKey: "New key", keysWhat: "Programs send a key with each request. Give each its own.", noKeys: "There is no key.", used: (when) => `last used ${when}`, neverUsed: "never used", revokedAt: (when) => `revoked ${when}`, expires: (when) => `until ${when}`, revoke: "Revoke", revokeOf: (name) => `Revoke ${name}`, revokeWhat: "From the next request on it is refused, and who signed in with it is signed out.",
    for: "It may", keyName: "What it is for", days: "Good for so many days (empty: for ever)", groups: "Only for these groups (empty: for everybody)", groupsHow: "Separate them with commas.", make: "Make the key", once: "Your new key", onceWhat: "It is shown now and never again.", key: "Key", copy: "Copy", copied: "Copied.", notCopied: "Copy it with Ctrl-C.", noted: "I have it",
    scopes: { recognise: "recognise", "people:read": "see people", "people:write": "change people", "pictures:read": "see pictures", "events:read": "see events", cameras: "run cameras", embed: "get vectors", admin: "everything" },
    backup: "Backup", backupWhat: "Everybody and everything of the gallery in one file. Keep it as safe as the gallery.", backupNow: "Make a backup", backingUp: "Making a backup", download: "Download",
    system: "System", readOnly: "Nothing can be changed: the service was started with --read-only.", chosen: "Settings of the service", columns: ["Setting", "Value"],
    facts: { version: "Version", strangers: "Unknown people", gallery: "Gallery", weights: "Weights", detector: "Detector", people: "People", templates: "Pictures of people", faces: "Faces in albums", photos: "Photos", rate: "Rate" },
  },
  docs: {
    title: (version) => `Requests of MultiFace ${version}`, lead: "What programs can ask of this service. Each request needs a key: Authorization: Bearer mf_…", page: "The page", asked: "What is asked", body: "Body", answers: "Answers:", inPath: "(in the path)", header: "(a header)", needed: "(needed)", or: "or", listOf: "list of", rest: "Other",
  },
};
