// German. What keys and marks mean: later/translate.js.

export const style = 'body { hyphens: auto; hyphenate-limit-chars: 14 5 5 }';

export default {
  // ---- The page: index.html ----
  'Mien: how old does a face look?': 'Mien: Wie alt sieht ein Gesicht aus?',
  'Guesses age and gender of the faces in a photo or the camera, on your own device. No picture leaves it.':
    'Schätzt Alter und Geschlecht der Gesichter auf einem Foto oder vor der Kamera, auf Ihrem eigenen Gerät. Kein Bild verlässt es.',
  'Language': 'Sprache',
  'Where the estimate runs, how long one takes, and how many a second':
    'Wo geschätzt wird, wie lange eine Schätzung dauert und wie viele es in der Sekunde sind',
  'Time for a picture': 'Zeit für ein Bild',
  'Find faces': 'Gesichter finden',
  'Cut them out': 'Ausschneiden',
  'Age and gender': 'Alter und Geschlecht',
  'Who is who': 'Wer ist wer',
  'Together': 'Zusammen',
  'Picture': 'Bild',
  'The chosen picture': 'Das gewählte Bild',
  'How old does a face look?': 'Wie alt sieht ein Gesicht aus?',
  'Age and gender, guessed on your device.<0/>No picture leaves it.': 'Alter und Geschlecht, auf Ihrem Gerät geschätzt.<0/>Kein Bild verlässt es.',
  'Drop or paste pictures here, too.': 'Bilder lassen sich auch hierher ziehen oder einfügen.',
  'Drop the picture': 'Bild hier ablegen',
  'Estimate': 'Schätzung',
  'Controls': 'Bedienung',
  'Freeze: keep this picture and switch the camera off': 'Anhalten: dieses Bild behalten und die Kamera ausschalten',
  'Freeze': 'Anhalten',
  'See what the network sees': 'Ansehen, was das Netz sieht',
  'Guess first': 'Erst raten',
  'Guess first: a game': 'Erst raten: ein Spiel',
  'Clear: forget this picture': 'Verwerfen: dieses Bild vergessen',
  'Clear': 'Verwerfen',
  'A newer version of this page is here.': 'Eine neuere Fassung dieser Seite ist da.',
  'Change to it': 'Zu ihr wechseln',
  'Download': 'Download',
  'Start camera': 'Kamera starten',
  'Stop camera': 'Kamera stoppen',
  'Other camera': 'Andere Kamera',
  'Open photos': 'Fotos öffnen',
  'Try sample': 'Beispiel zeigen',
  'About this estimate': 'Über diese Schätzung',
  'The number is a guess: the age that a face <0>looks</0> to a small neural network. Its range is made so that it holds the true age of four people in five. Light, angle, glasses and make-up move both. It is no check of anybody’s age or identity.':
    'Die Zahl ist eine Schätzung: das Alter, nach dem ein Gesicht für ein kleines neuronales Netz <0>aussieht</0>. Die Spanne ist so bemessen, dass sie bei vier von fünf Menschen das wahre Alter enthält. Licht, Blickwinkel, Brille und Schminke verschieben beides. Sie ist keine Prüfung von Alter oder Identität.',
  'The network first learned to see things of all kinds (ImageNet), then faces from five labelled collections: All-Age-Faces, UTKFace, FairFace, MUFAC and RAF-DB. They know two genders only, and so does it; it reads an appearance, which need not be how someone lives. It names a gender where it gives it at least 80%, of children below 13 at least 90%. Of test faces where it named one it was right about 98 of 100.':
    'Das Netz hat zuerst gelernt, Dinge aller Art zu sehen (ImageNet), dann Gesichter aus fünf beschrifteten Sammlungen: All-Age-Faces, UTKFace, FairFace, MUFAC und RAF-DB. Diese kennen nur zwei Geschlechter, und so auch das Netz; es liest ein Aussehen, das nicht sein muss, wie jemand lebt. Es nennt ein Geschlecht, wenn es ihm mindestens 80 % gibt, bei Kindern unter 13 mindestens 90 %. Bei Testgesichtern, für die es eines nannte, lag es in etwa 98 von 100 Fällen richtig.',
  'Private, and you can check': 'Privat, und Sie können es prüfen',
  'Camera pictures and photos are read here, in this browser, and are neither sent nor stored. Nothing in this page’s program sends a picture anywhere, unless you share one yourself.':
    'Kamerabilder und Fotos werden hier gelesen, in diesem Browser, und weder gesendet noch gespeichert. Nichts im Programm dieser Seite sendet ein Bild irgendwohin, es sei denn, Sie teilen selbst eines.',
  '<0>Turn on flight mode</0> after the page has opened: it still works. <1/>':
    '<0>Schalten Sie den Flugmodus ein</0>, nachdem sich die Seite geöffnet hat: Sie funktioniert weiter. <1/>',
  'The page’s first lines carry a <0>Content-Security-Policy</0> with <1>connect-src \'self\'</1>: your browser itself refuses to load anything from another site, or to send it anything. The worker that computes is started with <2>default-src \'none\'</2>: it can connect to nothing at all, this site included. <3/>':
    'Die ersten Zeilen der Seite enthalten eine <0>Content-Security-Policy</0> mit <1>connect-src \'self\'</1>: Ihr Browser selbst weigert sich, irgendetwas von einer anderen Website zu laden oder dorthin zu senden. Der Worker, der rechnet, wird mit <2>default-src \'none\'</2> gestartet: Er kann sich mit gar nichts verbinden, auch nicht mit dieser Website. <3/>',
  'Open the network panel of your browser’s developer tools: the page’s own files come in, and no picture goes out. What comes in later is named here: a few seconds after opening, the page’s files once more, to be kept for flight mode; after the first face, once, a program for the graphics chip (WebGPU; about 2 MB, or 7 where the site does not compress), if your browser has WebGPU and does not save data; parts of the page, the sample picture, figures and other networks when they are first opened.':
    'Öffnen Sie die Netzwerkanalyse in den Entwicklerwerkzeugen Ihres Browsers: Die Dateien der Seite kommen herein, und kein Bild geht hinaus. Was später hereinkommt, steht hier: einige Sekunden nach dem Öffnen noch einmal die Dateien der Seite, für den Flugmodus; nach dem ersten Gesicht einmalig ein Programm für den Grafikchip (WebGPU; etwa 2 MB, oder 7, wenn die Website nicht komprimiert), falls Ihr Browser WebGPU hat und keine Daten spart; Teile der Seite, das Beispielbild, Messwerte und andere Netze, wenn sie zum ersten Mal geöffnet werden.',
  'Watch it here: what was asked for, sent and stored': 'Hier zusehen: was angefragt, gesendet und gespeichert wurde',
  'Sources and terms': 'Quellen und Bedingungen',
  '<0>Source of this page</0>, the program behind it and its trainer.':
    '<0>Quelltext dieser Seite</0>, des Programms dahinter und dessen, was es trainiert.',
  '<0>Model card</0>: what the network learned from, how, and how far off it is.':
    '<0>Modellbeschreibung</0>: was das Netz woraus und wie gelernt hat und wie weit es danebenliegt.',
  'The weights are for <0>non-commercial research</0>, as the collections ask; the face finder, BlazeFace, is Google’s (Apache-2.0). <1>What else is in this page</1>.':
    'Die Gewichte sind für <0>nicht kommerzielle Forschung</0>, wie es die Sammlungen verlangen; was Gesichter findet, BlazeFace, ist von Google (Apache-2.0). <1>Was sonst in dieser Seite steckt</1>.',
  '<0>Who made what</0>, the sample picture too: Eileen Collins, photographed by NASA; public domain.':
    '<0>Wer was gemacht hat</0>, auch das Beispielbild: Eileen Collins, fotografiert von der NASA; gemeinfrei.',
  'This browser is too old for Mien. Any current Chrome, Edge, Firefox or Safari works.':
    'Dieser Browser ist für Mien zu alt. Jeder aktuelle Chrome, Edge, Firefox oder Safari geht.',
  'One moment…': 'Einen Moment …',
  'This page works from a web server, not from a file. In its folder run: python3 -m http.server, and open http://localhost:8000':
    'Diese Seite braucht einen Webserver und geht nicht als Datei. In ihrem Ordner ausführen: python3 -m http.server, und http://localhost:8000 öffnen',
  'A part of this page could not be loaded. Is this device online? Then open the page again. (Its site has to send scripts as text/javascript.)':
    'Ein Teil dieser Seite ließ sich nicht laden. Ist dieses Gerät online? Dann öffnen Sie die Seite noch einmal. (Ihre Website muss Skripte als text/javascript senden.)',
  'This page came incomplete. Is this device online? Then open it again.':
    'Diese Seite kam unvollständig an. Ist dieses Gerät online? Dann öffnen Sie sie noch einmal.',
  'This page is slow to come. If nothing changes, open it again.':
    'Diese Seite kommt nur langsam an. Wenn sich nichts ändert, öffnen Sie sie noch einmal.',

  // ---- What it says as it goes on: app.js ----
  'The camera is paused: a call or another program has it. It goes on by itself.':
    'Die Kamera macht Pause: Ein Anruf oder ein anderes Programm verwendet sie. Danach geht es von selbst weiter.',
  'Looking for faces…': 'Suche nach Gesichtern …',
  'This language could not be loaded. Is this device online?': 'Diese Sprache ließ sich nicht laden. Ist das Gerät online?',
  'It has tried, in this browser: it cannot.': 'Er hat es in diesem Browser versucht: Er kann es nicht.',
  'This browser does not keep to that: here only the page’s own code holds the worker back.':
    'Dieser Browser hält sich nicht daran: Hier hält nur der Code dieser Seite den Worker zurück.',
  'Ready. Pictures stay on this device.': 'Bereit. Bilder bleiben auf diesem Gerät.',
  'After the first face, a program for WebGPU comes in.': 'Nach dem ersten Gesicht kommt ein Programm für WebGPU dazu.',
  'Starting…': 'Startet …',
  'Getting ready for WebGPU…': 'WebGPU wird vorbereitet …',
  'Getting ready…': 'Wird vorbereitet …',
  'You are offline, and it works': 'Offline – und es läuft',
  'It is saved for that now.': 'Jetzt ist sie dafür gespeichert.',
  'The browser asks whether this page may use the camera. Answer it there first.':
    'Der Browser fragt, ob diese Seite die Kamera verwenden darf. Bitte zuerst dort antworten.',
  'Opening the camera…': 'Kamera wird geöffnet …',
  'The camera is on; getting ready to estimate…': 'Die Kamera läuft; die Schätzung wird noch vorbereitet …',
  'Reading the picture…': 'Das Bild wird gelesen …',
  'Getting ready for the picture…': 'Wird für das Bild vorbereitet …',
  'Getting ready for {0} pictures…': 'Wird für {0} Bilder vorbereitet …',
  'Frozen, and the camera is off.': 'Angehalten, und die Kamera ist aus.',
  'Cleared. Nothing of it is kept.': 'Verworfen. Nichts davon bleibt zurück.',
  'There is no guess to look into yet.': 'Es gibt noch keine Schätzung, die man ansehen könnte.',
  'No face in sight. Turn to the camera, with light from the front.': 'Kein Gesicht zu sehen. Bitte zur Kamera drehen, mit Licht von vorn.',
  'No face found. Faces should be uncovered, sharp and not too small.':
    'Kein Gesicht gefunden. Gesichter sollten unverdeckt, scharf und nicht zu klein sein.',
  'One face. This is a guess, not a measurement.': 'Ein Gesicht. Das ist eine Schätzung, keine Messung.',
  '{0} faces. Choose one to see more.': '{0} Gesichter. Wählen Sie eines aus, um mehr zu sehen.',
  'A face is there, beside what is shown. Come to the middle.': 'Ein Gesicht ist da, aber außerhalb des Ausschnitts. Bitte zur Mitte kommen.',
  'The picture is upside down; it was read turned upright.': 'Das Bild steht auf dem Kopf; es wurde aufrecht gedreht gelesen.',
  'The picture lies on its side; it was read turned upright.': 'Das Bild liegt auf der Seite; es wurde aufrecht gedreht gelesen.',
  'There are more; these are the surest.': 'Es sind noch mehr; dies sind die sichersten.',
  'Some faces may be missing.': 'Einige Gesichter könnten fehlen.',
  'This browser is too old': 'Dieser Browser ist zu alt',
  'No WebGPU here': 'Hier gibt es kein WebGPU',
  'This picture cannot be read': 'Dieses Bild lässt sich nicht lesen',
  'Loading did not finish': 'Das Laden brach ab',
  'The estimate failed': 'Die Schätzung ist fehlgeschlagen',
  'That did not work': 'Das hat nicht geklappt',
  'Not ready.': 'Nicht bereit.',
  'Ready for another try.': 'Bereit für einen neuen Versuch.',
  'Choose a photo': 'Foto auswählen',
  'Use the CPU': 'CPU verwenden',
  'Choose another': 'Anderes auswählen',
  'Try again': 'Noch einmal versuchen',
  'The camera is off.': 'Die Kamera ist aus.',
  'The camera was switched off while this page was out of sight.': 'Die Kamera wurde ausgeschaltet, solange diese Seite nicht zu sehen war.',

  // ---- The camera ----
  'The camera needs a secure address': 'Die Kamera braucht eine sichere Adresse',
  'Browsers open the camera only for pages that begin with https. Photos work all the same.':
    'Browser öffnen die Kamera nur für Seiten, deren Adresse mit https beginnt. Fotos gehen trotzdem.',
  'No camera access here': 'Hier ist keine Kamera zugänglich',
  'This browser, or the app that this page opened in, gives pages no camera. Photos work all the same.':
    'Dieser Browser, oder die App, in der sich diese Seite geöffnet hat, gibt Seiten keine Kamera. Fotos gehen trotzdem.',
  'The camera has gone': 'Die Kamera ist weg',
  'It was unplugged, or another program took it. Start it again when it is back.':
    'Sie wurde ausgesteckt, oder ein anderes Programm hat sie genommen. Starten Sie sie wieder, wenn sie zurück ist.',
  'The camera sends no picture': 'Die Kamera sendet kein Bild',
  'A call or another program may have it, or a switch on the device keeps it off. Then start it again.':
    'Vielleicht hat sie gerade ein Anruf oder ein anderes Programm, oder ein Schalter am Gerät hält sie aus. Starten Sie sie danach wieder.',
  'The camera is not allowed': 'Die Kamera ist nicht erlaubt',
  'Allow the camera for this page: in the address bar, or in the settings of the browser or the device. Then start it again.':
    'Erlauben Sie dieser Seite die Kamera: in der Adressleiste oder in den Einstellungen des Browsers oder des Geräts. Starten Sie sie danach wieder.',
  'This page is shown inside another one, which may keep the camera from it: open it by itself.':
    'Diese Seite wird in einer anderen angezeigt, die ihr die Kamera vorenthalten kann: Öffnen Sie sie für sich allein.',
  'No camera found': 'Keine Kamera gefunden',
  'This device has no camera that the browser can see. Photos work all the same.':
    'Dieses Gerät hat keine Kamera, die der Browser sehen kann. Fotos gehen trotzdem.',
  'The camera is busy': 'Die Kamera ist belegt',
  'Another program or page uses it. Close that one, then start again.':
    'Ein anderes Programm oder eine andere Seite verwendet sie. Schließen Sie das, und starten Sie sie dann wieder.',
  'The camera did not start': 'Die Kamera ist nicht gestartet',
  'The browser says: {0}': 'Der Browser sagt: {0}',

  // ---- Photos ----
  'A part of the page could not be loaded. Is this device online?': 'Ein Teil der Seite ließ sich nicht laden. Ist dieses Gerät online?',
  'Getting the sample picture…': 'Das Beispielbild wird geholt …',
  'The sample picture could not be downloaded. Is this device online?': 'Das Beispielbild ließ sich nicht herunterladen. Ist dieses Gerät online?',
  'There is no picture in what was pasted. Copy a picture itself, or choose its file.':
    'Im Eingefügten ist kein Bild. Kopieren Sie ein Bild selbst, oder wählen Sie seine Datei aus.',
  'That was no picture file. Save the picture first, then drop the file.':
    'Das war keine Bilddatei. Speichern Sie das Bild zuerst, und ziehen Sie dann die Datei hierher.',

  // ---- A face ----
  'Age distribution: no face yet': 'Altersverteilung: noch kein Gesicht',
  'Age distribution. {0}': 'Altersverteilung. {0}',
  'one moment': 'einen Moment',
  '{0} · gender not sure': '{0} · Geschlecht unsicher',
  'face {0}': 'Gesicht {0}',
  'One moment': 'Einen Moment',
  'Gender': 'Geschlecht',
  'How likely each age is, as soon as a few pictures agree.': 'Wie wahrscheinlich jedes Alter ist, sobald einige Bilder übereinstimmen.',
  'No face yet': 'Noch kein Gesicht',
  'How likely each age is, once there is a face.': 'Wie wahrscheinlich jedes Alter ist, sobald ein Gesicht da ist.',
  'Age of face {0}': 'Alter von Gesicht {0}',
  'Shown once there is a picture.': 'Zu sehen, sobald es ein Bild gibt.',
  'girl': 'Mädchen',
  'boy': 'Junge',
  'child': 'Kind',
  'young woman': 'junge Frau',
  'young man': 'junger Mann',
  'young person': 'junge Person',
  'woman': 'Frau',
  'man': 'Mann',
  'person': 'Person',
  'Not sure: female {0}, male {1}': 'Nicht sicher: weiblich {0}, männlich {1}',
  'a child': 'ein Kind',
  'a teenager': 'ein Teenager',
  'an adult': 'eine erwachsene Person',
  'Either about {0}, or about {1}.': 'Entweder etwa {0} oder etwa {1}.',
  'Either {0} of about {1}, or {2} of about {3}.': 'Entweder {0} von etwa {1} Jahren oder {2} von etwa {3} Jahren.',
  '4 of 5 people with this result are between {0} and {1}.': '4 von 5 Menschen mit diesem Ergebnis sind zwischen {0} und {1} Jahre alt.',
  '{0}, about {1}, probably {2} to {3}': '{0}, etwa {1}, vermutlich {2} bis {3}',
  'Guess: {0}.': 'Schätzung: {0}.',
  'over {0}': 'über {0}',
  'under {0}': 'unter {0}',

  // ---- Poor pictures ----
  '{0}.': '{0}.',
  '{0} · {1}': '{0} · {1}',
  'Come closer': 'Bitte näher kommen',
  'Turn to the camera': 'Bitte zur Kamera drehen',
  'Too dark to guess': 'Zu dunkel zum Schätzen',
  'Too bright to guess': 'Zu hell zum Schätzen',
  'Hold still': 'Bitte stillhalten',
  'few pixels': 'wenige Pixel',
  'turned away': 'abgewandt',
  'dark': 'dunkel',
  'overexposed': 'überbelichtet',
  'blurred': 'unscharf',

  // ---- The last 30 seconds ----
  'No number in the last 30 seconds.': 'Keine Zahl in den letzten 30 Sekunden.',
  'In the last 30 seconds the age has stood at {0}.': 'In den letzten 30 Sekunden blieb das Alter bei {0}.',
  'So far the age has stood at {0}.': 'Bisher blieb das Alter bei {0}.',
  'In the last 30 seconds the age was between {0} and {1}.': 'In den letzten 30 Sekunden lag das Alter zwischen {0} und {1}.',
  'So far the age was between {0} and {1}.': 'Bisher lag das Alter zwischen {0} und {1}.',

  // ---- What a picture costs ----
  'On average, over the last picture.': 'Im Mittel über das letzte Bild.',
  'On average, over the last {0} pictures.': 'Im Mittel über die letzten {0} Bilder.',
  '{0} showed nothing new and was skipped.': '{0} zeigte nichts Neues und wurde übersprungen.',
  '{0} showed nothing new and were skipped.': '{0} zeigten nichts Neues und wurden übersprungen.',
  'Pictures go straight to the GPU.': 'Bilder gehen direkt an die GPU.',
  'Pictures go to the GPU by way of main memory.': 'Bilder gehen über den Hauptspeicher an die GPU.',
  'On the same picture: CPU {0}, WebGPU {1}': 'Beim selben Bild: CPU {0}, WebGPU {1}',
  'fetching the WebGPU program': 'WebGPU-Programm wird geholt',
  'WebGPU has stopped': 'WebGPU ist ausgefallen',

  // ---- Several photos ----
  '{0} {1}': '{0} {1}',
  'Photos': 'Fotos',
  'Picture {0}': 'Bild {0}',
  'Reading picture {0} of {1}…': 'Bild {0} von {1} wird gelesen …',
  '{0}: {1}': '{0}: {1}',
  '{0}: {1}.': '{0}: {1}.',
  'unread': 'nicht gelesen',
  'no face': 'kein Gesicht',
  'waiting': 'wartet',
  '{0}, about {1}': '{0}, etwa {1}',
  '{0}, {1}: {2}': '{0}, {1}: {2}',
  '{0} pictures, {1}.': {one: '{0} Bild, {1}.', other: '{0} Bilder, {1}.'},
  '{0} could not be read: tap it to see why.': '{0} ließ sich nicht lesen: Antippen zeigt, warum.',
  '{0} could not be read: tap one to see why.': '{0} ließen sich nicht lesen: Antippen zeigt, warum.',
  'one face': 'ein Gesicht',
  '{0} faces': '{0} Gesichter',

  // ---- The card ----
  'on my phone': 'auf meinem Telefon',
  'on my computer': 'auf meinem Computer',
  'Guessed {0}': 'Geschätzt {0}',
  '{0} · Mien. A guess, not a measurement.': '{0} · Mien. Eine Schätzung, keine Messung.',
  'No number yet': 'Noch keine Zahl',
  'No face found': 'Kein Gesicht gefunden',
  'probably {0}': 'vermutlich {0}',
  'face {0} of {1}': 'Gesicht {0} von {1}',
  'With the picture': 'Mit dem Bild',
  'Faces blurred': 'Gesichter unkenntlich',
  'Numbers only': 'Nur Zahlen',
  'Faces that were found are blurred, and no others. Look before you share.':
    'Gefundene Gesichter sind verwischt, andere nicht. Bitte vor dem Teilen ansehen.',
  'The card is drawn on this device, and goes where you send it.':
    'Die Karte wird auf diesem Gerät gezeichnet und geht nur dorthin, wohin Sie sie senden.',
  'Share…': 'Teilen …',
  'Save picture': 'Bild speichern',
  'Copy as text': 'Als Text kopieren',
  'Copied as text.': 'Als Text kopiert.',
  'Copy as JSON': 'Als JSON kopieren',
  'Copied as JSON.': 'Als JSON kopiert.',
  'Close': 'Schließen',
  'Saved as mien.jpg, among your downloads.': 'Als mien.jpg gespeichert, bei Ihren Downloads.',
  'Face {0}: {1}. {2}': 'Gesicht {0}: {1}. {2}',
  'No face found.': 'Kein Gesicht gefunden.',
  'A guess, not a measurement; made {0} with Mien.': 'Eine Schätzung, keine Messung; {0} mit Mien gemacht.',
  'Share or save': 'Teilen oder speichern',
  'The card': 'Die Karte',
  'What the card shows': 'Was die Karte zeigt',

  // ---- What the network sees ----
  'Mirror': 'Spiegeln',
  'Darken': 'Abdunkeln',
  'Blur': 'Weichzeichnen',
  'Shrink': 'Verkleinern',
  'Grey': 'Grau',
  'Cover eyes': 'Augen abdecken',
  'Cover mouth': 'Mund abdecken',
  'the first ten blocks of EfficientNet-Lite0; the page’s default': 'die ersten zehn Blöcke von EfficientNet-Lite0; die Vorgabe dieser Seite',
  'convolutions on one crop': 'Faltungen auf einem Ausschnitt',
  'the same convolutions on three small crops, from wide to close': 'dieselben Faltungen auf drei kleinen Ausschnitten, von weit bis nah',
  'one convolution and one dense layer, to compare with': 'eine Faltung und eine dichte Schicht, zum Vergleich',
  'In use': 'In Verwendung',
  'Use': 'Verwenden',
  'Use {0}': '{0} verwenden',
  'Asking {0}…': '{0} wird gefragt …',
  'no face found': 'kein Gesicht gefunden',
  '{0} years': '{0} Jahre',
  'not measured': 'nicht gemessen',
  '{0}: {1}, probably {2}': '{0}: {1}, vermutlich {2}',
  '{0}: no face': '{0}: kein Gesicht',
  'The time is that of the network alone, once over one face, on this device’s processor.':
    'Die Zeit ist die des Netzes allein, einmal für ein Gesicht, auf dem Prozessor dieses Geräts.',
  '“Off by” is the mean error of the age on labelled test pictures of {0}.':
    '„Abstand“ ist der mittlere Fehler des Alters auf beschrifteten Testbildern von {0}.',
  'A network that is better on average need not be better for this face.':
    'Ein Netz, das im Mittel besser ist, muss es bei diesem Gesicht nicht sein.',
  'Forehead': 'Stirn',
  'the forehead': 'der Stirn',
  'Eyes': 'Augen',
  'the eyes': 'der Augen',
  'Nose': 'Nase',
  'the nose': 'der Nase',
  'Cheeks': 'Wangen',
  'the cheeks': 'der Wangen',
  'Mouth': 'Mund',
  'the mouth': 'des Mundes',
  'Chin': 'Kinn',
  'the chin': 'des Kinns',
  'Surroundings (hair, ears, background)': 'Umgebung (Haare, Ohren, Hintergrund)',
  'the surroundings (hair, ears, background)': 'der Umgebung (Haare, Ohren, Hintergrund)',
  'That did not work: {0}': 'Das hat nicht geklappt: {0}',
  'Of the picture {0} gets these {1} cuts of the face, turned upright, of {2} × {3} pixels each.':
    'Vom Bild bekommt {0} diese {1} Ausschnitte des Gesichts, aufrecht gedreht, mit je {2} × {3} Pixeln.',
  'Of the picture {0} gets this cut of the face, turned upright, of {1} × {2} pixels.':
    'Vom Bild bekommt {0} diesen Ausschnitt des Gesichts, aufrecht gedreht, mit {1} × {2} Pixeln.',
  'No face found in this one picture.': 'In diesem einen Bild wurde kein Gesicht gefunden.',
  'What the network gets of the picture as it is': 'Was das Netz vom unveränderten Bild bekommt',
  '{0}. Of this one frame; the number beside the camera is an average of many.':
    '{0}. Von diesem einen Bild; die Zahl neben der Kamera ist ein Mittel aus vielen.',
  'Choose a change below.': 'Unten eine Änderung auswählen.',
  'What the network gets of the changed picture': 'Was das Netz vom veränderten Bild bekommt',
  '{0}. {1}': '{0}. {1}',
  'No face found any more, so there is no guess.': 'Kein Gesicht mehr gefunden, also keine Schätzung.',
  'Before: {0}. Now: {1}. {2}': 'Vorher: {0}. Jetzt: {1}. {2}',
  'Stop': 'Anhalten',
  'Covering one place after the other…': 'Eine Stelle nach der anderen wird abgedeckt …',
  'Stopped.': 'Angehalten.',
  'Find out': 'Herausfinden',
  'Once more': 'Noch einmal',
  '{0}, probably {1} · {2}': '{0}, vermutlich {1} · {2}',
  'The same age as before.': 'Dasselbe Alter wie vorher.',
  '1 year older than before.': '1 Jahr älter als vorher.',
  '1 year younger than before.': '1 Jahr jünger als vorher.',
  '{0} years older than before.': '{0} Jahre älter als vorher.',
  '{0} years younger than before.': '{0} Jahre jünger als vorher.',
  'under half a year': 'unter einem halben Jahr',
  '{0} years older': '{0} Jahre älter',
  '{0} years younger': '{0} Jahre jünger',
  'Covering {0} moves it most: the face is then taken for {1}, on average.':
    'Am meisten ändert das Abdecken {0}: Das Gesicht wird dann im Mittel {1} geschätzt.',
  'No single place moves the age by half a year, on average.': 'Keine einzelne Stelle verschiebt das Alter im Mittel um ein halbes Jahr.',
  'In {0} of {1} places covering hid the face from the finder; these are left out.':
    'An {0} von {1} Stellen wurde das Gesicht abgedeckt nicht mehr gefunden; diese sind ausgelassen.',
  '{0}, {1}': '{0}, {1}',
  'Time': 'Zeit',
  'File': 'Datei',
  'Off by': 'Abstand',
  'What the network sees': 'Was das Netz sieht',
  'It sees it twice, once as its mirror image, and the two answers are averaged.':
    'Es sieht das Gesicht zweimal, einmal gespiegelt, und die beiden Antworten werden gemittelt.',
  'As it is': 'Wie es ist',
  'Changed': 'Verändert',
  'Change the picture, and the guess is made anew': 'Das Bild verändern – dann wird neu geschätzt',
  'Which parts does the age depend on?': 'Von welchen Teilen hängt das Alter ab?',
  'One place after the other is covered, and the age guessed anew.':
    'Eine Stelle nach der anderen wird abgedeckt und das Alter jedes Mal neu geschätzt.',
  'Places covered': 'Abgedeckte Stellen',
  'Other networks, side by side': 'Andere Netze, nebeneinander',
  'Opened for the first time, this fetches up to 5 MB from this page’s own site: three more networks. No picture goes there.':
    'Beim ersten Öffnen werden bis zu 5 MB von der Website dieser Seite geholt: drei weitere Netze. Dorthin geht kein Bild.',
  'The crop, coloured where covering it changes the age; the table says the same':
    'Der Ausschnitt, gefärbt, wo das Abdecken das Alter ändert; die Tabelle sagt dasselbe',
  'covered, it is taken for older': 'abgedeckt wird es für älter gehalten',
  'for younger': 'für jünger',
  'Covered': 'Abgedeckt',
  'The age moves by': 'Das Alter ändert sich um',
  'Stronger colour: more years, up to <0/>. A covered face is a picture like none that the network learned from: the map shows what this number hangs on, not how people age.':
    'Kräftigere Farbe: mehr Jahre, bis zu <0/>. Ein abgedecktes Gesicht ist ein Bild, wie es das Netz beim Lernen nie gesehen hat: Die Karte zeigt, woran diese Zahl hängt, nicht, wie Menschen altern.',

  // ---- Guess first ----
  'Take a picture of somebody whose age you know. The others guess it, and then you see what Mien says.':
    'Nehmen Sie ein Bild von jemandem, dessen Alter Sie kennen. Die anderen raten es, und dann sehen Sie, was Mien sagt.',
  'Use the camera': 'Kamera verwenden',
  'Take the picture': 'Bild aufnehmen',
  'Another picture': 'Anderes Bild',
  'The true age in this picture, in years': 'Das wahre Alter auf diesem Bild, in Jahren',
  'Type it while the others look away. It is neither stored nor sent, and is gone when this page is closed.':
    'Geben Sie es ein, während die anderen wegsehen. Es wird weder gespeichert noch gesendet und ist weg, sobald diese Seite geschlossen wird.',
  'Hide it and guess': 'Verdecken und raten',
  'How old is this face?': 'Wie alt ist dieses Gesicht?',
  'That is our guess': 'Das ist unser Tipp',
  'Next round': 'Nächste Runde',
  'The face to guess': 'Das Gesicht, das zu raten ist',
  'What the camera sees': 'Was die Kamera sieht',
  'Age from {0} to {1}': 'Alter von {0} bis {1}',
  'Looking for a face…': 'Suche nach einem Gesicht …',
  'There are several faces; the largest one counts.': 'Es sind mehrere Gesichter; das größte zählt.',
  'The camera has no picture yet.': 'Die Kamera hat noch kein Bild.',
  'Move the mark to your guess.': 'Schieben Sie die Marke auf Ihren Tipp.',
  'You': 'Sie',
  'True age': 'Wahres Alter',
  'right': 'richtig',
  '1 year off': '1 Jahr daneben',
  '{0} years off': '{0} Jahre daneben',
  'The true age is {0}. You said {1}: {2}. Mien says {3}: {4}.': 'Das wahre Alter ist {0}. Ihr Tipp war {1}: {2}. Mien sagt {3}: {4}.',
  'After one round you are off by {0} years on average, Mien by {1}.': 'Nach einer Runde liegen Sie im Mittel um {0} Jahre daneben, Mien um {1}.',
  'After {0} rounds you are off by {1} years on average, Mien by {2}.': 'Nach {0} Runden liegen Sie im Mittel um {1} Jahre daneben, Mien um {2}.',
  'Nearer to the truth: you {0}, Mien {1}.': 'Näher am wahren Alter: Sie {0}-mal, Mien {1}-mal.',
  'Nearer to the truth: you {0}, Mien {1}, both alike {2}.': 'Näher am wahren Alter: Sie {0}-mal, Mien {1}-mal, beide gleich nah {2}-mal.',

  // ---- How far off it is ----
  'Measured on {0} test pictures of {1}': 'Gemessen an {0} Testbildern von {1}',
  'The age is off by {0} years on average, the range holds {1} of 100, and the likelier gender is right for {2} of 100.':
    'Das Alter liegt im Mittel um {0} Jahre daneben, die Spanne stimmt bei {1} von 100, und das wahrscheinlichere Geschlecht ist bei {2} von 100 richtig.',
  ', of {0} to {1} {2} years': ', solche von {0} bis {1} um {2} Jahre',
  'people of {0} to {1} are shown {2} years too old': 'Menschen von {0} bis {1} werden um {2} Jahre zu alt geschätzt',
  'people of {0} to {1} are shown {2} years too young': 'Menschen von {0} bis {1} werden um {2} Jahre zu jung geschätzt',
  'On average {0}.': 'Im Mittel: {0}.',
  'Age': 'Alter',
  'Faces': 'Gesichter',
  'Off by, years': 'Abstand, Jahre',
  'On average': 'Im Mittel',
  'Range holds': 'Spanne stimmt',
  'Gender right': 'Geschlecht richtig',
  '{0} too old': '{0} zu alt',
  '{0} too young': '{0} zu jung',
  'Measured by age': 'Gemessen nach Alter',

  // ---- What was asked for ----
  'cannot be told': 'nicht festzustellen',
  '{0} ({1} times)': '{0} ({1}-mal)',
  'This device is online. A request is the address of a file, and headers that each browser sends; what was asked for a second time may have come from this device. That it looks for a newer version of the page (sw.js), the browser does not tell.':
    'Dieses Gerät ist online. Eine Anfrage besteht aus der Adresse einer Datei und Kopfzeilen, die jeder Browser sendet; was ein zweites Mal angefragt wurde, kann von diesem Gerät gekommen sein. Dass der Browser nach einer neueren Fassung der Seite sieht (sw.js), sagt er nicht.',
  'This device is offline: whatever is asked for now comes from what is stored on it.':
    'Dieses Gerät ist offline: Was jetzt angefragt wird, kommt aus dem, was darauf gespeichert ist.',
  'the page itself': 'die Seite selbst',
  'No files for use offline.': 'Keine Dateien für die Verwendung ohne Netz.',
  '{0} files of this site for use offline, {1} MB ({2}).':
    {one: '{0} Datei dieser Seite für die Verwendung ohne Netz, {1} MB ({2}).', other: '{0} Dateien dieser Seite für die Verwendung ohne Netz, {1} MB ({2}).'},
  'No cookies.': 'Keine Cookies.',
  '{0} cookies of this site.': {one: '{0} Cookie dieser Website.', other: '{0} Cookies dieser Website.'},
  'This browser lets the page store nothing else.': 'Dieser Browser lässt die Seite sonst nichts speichern.',
  'Nothing else: no database, no entry in the browser’s storage.': 'Sonst nichts: keine Datenbank, kein Eintrag im Speicher des Browsers.',
  '{0} databases and {1} entries in the browser’s storage, of pages of this site.':
    'Im Speicher des Browsers, von Seiten dieser Website: Datenbanken: {0}, Einträge: {1}.',
  'Requests since it was opened': 'Anfragen seit dem Öffnen',
  'Bytes of content sent': 'Gesendete Bytes an Inhalt',
  'Last request': 'Letzte Anfrage',
  'Each address': 'Jede Adresse',
  'Stored on this device': 'Auf diesem Gerät gespeichert',
  'Look again': 'Noch einmal nachsehen',

  // ---- The entrance screen ----
  'Mien: entrance screen': 'Mien: Bildschirm am Eingang',
  'A screen whose content follows who stands before it: age and gender are estimated on the device itself, and nothing is stored.':
    'Ein Bildschirm, dessen Inhalt sich danach richtet, wer vor ihm steht: Alter und Geschlecht werden auf dem Gerät selbst geschätzt, und nichts wird gespeichert.',
  'Entrance screen': 'Bildschirm am Eingang',
  'What is shown here follows who stands before it. It needs the camera, which the browser allows on a tap.':
    'Was hier zu sehen ist, richtet sich danach, wer davorsteht. Dazu braucht es die Kamera, die der Browser auf ein Antippen hin erlaubt.',
  'Start the screen': 'Bildschirm starten',
  'The rules cannot be used': 'Die Regeln sind nicht zu gebrauchen',
  'They are read again every few seconds. The <0>editor</0> writes files that are right.':
    'Sie werden alle paar Sekunden neu gelesen. Der <0>Editor</0> schreibt richtige Dateien.',
  'A camera estimates the age and gender of people before this screen, on this device. No picture leaves it, and nothing is stored. It is a guess.':
    'Eine Kamera schätzt Alter und Geschlecht der Menschen vor diesem Bildschirm, auf diesem Gerät. Kein Bild verlässt es, und nichts wird gespeichert. Es ist eine Schätzung.',
  'Full screen': 'Ganzer Bildschirm',
  'Rules: open the editor': 'Regeln: Editor öffnen',
  'Rules': 'Regeln',
  'No camera is connected. The screen goes on by itself when one is.':
    'Es ist keine Kamera angeschlossen. Sobald eine da ist, geht es von selbst weiter.',
  'Another program uses the camera. Trying again by itself.': 'Ein anderes Programm verwendet die Kamera. Es wird von selbst wieder versucht.',
  'The camera did not start. Trying again by itself.': 'Die Kamera ist nicht gestartet. Es wird von selbst wieder versucht.',
  'The camera has gone. The screen goes on by itself when it is back.': 'Die Kamera ist weg. Sobald sie wieder da ist, geht es von selbst weiter.',
  'The camera sends no pictures. Trying again by itself.': 'Die Kamera sendet keine Bilder. Es wird von selbst wieder versucht.',
  'The estimates have stopped. They are being started anew.': 'Die Schätzungen sind stehen geblieben. Sie werden neu gestartet.',
  'The camera needs an address that begins with https.': 'Die Kamera braucht eine Adresse, die mit https beginnt.',
  'This browser gives pages no camera.': 'Dieser Browser gibt Seiten keine Kamera.',
  'The program could not be loaded. Trying again by itself.': 'Das Programm ließ sich nicht laden. Es wird von selbst wieder versucht.',
  'The rules file {0} could not be loaded. Is this device online?': 'Die Regeldatei {0} ließ sich nicht laden. Ist dieses Gerät online?',
  'The rules file {0} could not be loaded: the site answered {1}.': 'Die Regeldatei {0} ließ sich nicht laden: Der Server antwortete {1}.',
  'The camera is not allowed. Allow it for this page in the browser’s address bar or settings.':
    'Die Kamera ist nicht erlaubt. Bitte in der Adressleiste oder den Einstellungen des Browsers für diese Seite erlauben.',
  'Trying again by itself.': 'Es wird von selbst wieder versucht.',
};

// What mien.js, lib/ and worker.js say.
export const messages = {
  'The policy of this page lets no worker start.': 'Die Regeln dieser Seite lassen keinen Worker starten.',
  'The site has a newer version of this page by now. Open the page again.':
    'Die Website hat inzwischen eine neuere Fassung dieser Seite. Öffnen Sie die Seite noch einmal.',
  'The {0} arrived damaged or incomplete.': 'Beschädigt oder unvollständig angekommen: {0}.',
  'The {0} could not be downloaded. Is this device online?': 'Ließ sich nicht herunterladen: {0}. Ist dieses Gerät online?',
  'The {0} could not be downloaded (the site answered {1}).': 'Ließ sich nicht herunterladen: {0} (der Server antwortete {1}).',
  'The download of the {0} broke off.': 'Das Herunterladen brach ab: {0}.',
  'The program does not start.': 'Das Programm startet nicht.',
  'A part of the program could not be loaded.': 'Ein Teil des Programms ließ sich nicht laden.',
  'The {0} engine does not answer.': 'Die Berechnung ({0}) antwortet nicht.',
  'The network is silent.': 'Das Netz schweigt.',
  'This picture belongs to another site, which keeps its pixels closed.':
    'Dieses Bild gehört einer anderen Website, die seine Pixel nicht herausgibt.',
  'This picture has more pixels than this browser can make smaller. Save a smaller copy of it first.':
    'Dieses Bild hat mehr Pixel, als dieser Browser verkleinern kann. Speichern Sie zuerst eine kleinere Kopie davon.',
  'This browser gives pages random pixels in place of a picture’s, as a protection from being recognised. Allow this page to read canvas data (in the address bar, or the privacy settings), and load it again.':
    'Dieser Browser gibt Seiten zufällige Pixel anstelle der echten, zum Schutz vor Wiedererkennung. Erlauben Sie dieser Seite, Canvas-Daten zu lesen (in der Adressleiste oder den Einstellungen zum Datenschutz), und laden Sie sie neu.',
  'The picture is damaged or incomplete, or of a kind that this browser does not know.':
    'Das Bild ist beschädigt oder unvollständig, oder von einer Art, die dieser Browser nicht kennt.',
  'This file is incomplete or damaged: viewers may show a part of the picture, and the rest is missing. Get the file once more.':
    'Diese Datei ist unvollständig oder beschädigt: Anzeigeprogramme zeigen vielleicht einen Teil des Bildes, der Rest fehlt. Besorgen Sie sich die Datei noch einmal.',
  'This is a HEIC picture, as iPhones take them, and this browser cannot read it. Save it as a JPEG first: open it in Photos and export it, or take a screenshot of it. Safari reads it as it is. For new pictures: Settings, Camera, Formats, Most Compatible.':
    'Das ist ein HEIC-Bild, wie iPhones sie aufnehmen, und dieser Browser kann es nicht lesen. Speichern Sie es zuerst als JPEG: Öffnen Sie es in Fotos und exportieren Sie es, oder machen Sie ein Bildschirmfoto davon. Safari liest es, wie es ist. Für neue Bilder: Einstellungen, Kamera, Formate, Maximale Kompatibilität.',
  'This picture is empty.': 'Dieses Bild ist leer.',
  'The video has no picture yet.': 'Das Video hat noch kein Bild.',
  'Mien reads pictures, videos, canvases and image files, and this is none of them.':
    'Mien liest Bilder, Videos, Canvas-Elemente und Bilddateien, und dies ist nichts davon.',
  'A part of the program could not be loaded. Is this device online?': 'Ein Teil des Programms ließ sich nicht laden. Ist dieses Gerät online?',
  'This browser is too old for Mien: it lacks {0}. Any current Chrome, Edge, Firefox or Safari works.':
    'Dieser Browser ist für Mien zu alt: Ihm fehlt {0}. Jeder aktuelle Chrome, Edge, Firefox oder Safari geht.',
  'This browser offers no WebGPU on this device.': 'Dieser Browser bietet auf diesem Gerät kein WebGPU.',
  'This Mien has been closed.': 'Dieses Mien wurde geschlossen.',
  'WebGPU does not see what the CPU sees.': 'WebGPU sieht nicht, was die CPU sieht.',
  'This engine is not in use.': 'Diese Berechnung ist nicht in Verwendung.',
  'Scripts come from the page alone.': 'Skripte kommen nur von der Seite.',
  'A part of the program could not be loaded ({0}).': 'Ein Teil des Programms ließ sich nicht laden ({0}).',
  'The program could not be started ({0}).': 'Das Programm ließ sich nicht starten ({0}).',
  'WebGPU could not be started ({0}).': 'WebGPU ließ sich nicht starten ({0}).',
  'The model could not be read ({0}).': 'Das Modell ließ sich nicht lesen ({0}).',
  'The pixels of this picture cannot be read.': 'Die Pixel dieses Bildes lassen sich nicht lesen.',
  'The engine failed on this picture ({0}).': 'Das Programm ist an diesem Bild gescheitert ({0}).',
  'WebAssembly': 'WebAssembly',
  'WebAssembly vector instructions (SIMD)': 'Vektorbefehle in WebAssembly (SIMD)',
  'web workers': 'die Unterstützung für Web Workers',
  'createImageBitmap': 'createImageBitmap',
  'program': 'das Programm',
  'model that finds faces': 'das Modell, das Gesichter findet',
  'model for age and gender': 'das Modell für Alter und Geschlecht',
};
