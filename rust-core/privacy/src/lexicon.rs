//! What words mean to the detectors: names, titles, and the words that stand beside numbers and dates. Where the names come from is
//! written in `data/README.md`.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::LazyLock;

/// A set of the meanings below.
pub(crate) type Meaning = u32;

/// A given name.
pub(crate) const FIRST: Meaning = 1;
/// A family name.
pub(crate) const LAST: Meaning = 1 << 1;
/// A name that is an ordinary word too.
pub(crate) const AMBIGUOUS: Meaning = 1 << 2;
/// A month, a day, a place, a language, an institution: never (a part of) a person's name by itself.
pub(crate) const NO_NAME: Meaning = 1 << 3;
/// Stands before a name: "Mrs", "Herr".
pub(crate) const TITLE: Meaning = 1 << 4;
/// Stands inside a name in lower case: "van", "de".
pub(crate) const PARTICLE: Meaning = 1 << 5;
/// A name follows: "named", "Dear", "heiße".
pub(crate) const NAME_CUE: Meaning = 1 << 6;
/// A birthday is near.
pub(crate) const BIRTH: Meaning = 1 << 7;
/// A password follows.
pub(crate) const PASSWORD: Meaning = 1 << 8;
/// A key or token follows.
pub(crate) const KEY: Meaning = 1 << 9;
/// A telephone number is near.
pub(crate) const PHONE: Meaning = 1 << 10;
/// A national id is near.
pub(crate) const ID: Meaning = 1 << 11;
/// A payment card is near.
pub(crate) const CARD: Meaning = 1 << 12;
/// Ends a street's name in English: "Street", "Ave".
pub(crate) const STREET_END: Meaning = 1 << 13;
/// Begins a street's name in a Romance or Slavic language, or German: "rue", "Calle", "ul".
pub(crate) const STREET_BEGIN: Meaning = 1 << 14;
/// Something inside a house: "Apt", "Suite".
pub(crate) const UNIT: Meaning = 1 << 15;
/// An address is near.
pub(crate) const ADDRESS: Meaning = 1 << 16;
/// A month, in one of several languages; which one says [`month`].
pub(crate) const MONTH: Meaning = 1 << 17;
/// Joins a number that is no personal one: "order", "invoice", "version".
pub(crate) const OTHER_NUMBER: Meaning = 1 << 18;
/// A state of the United States, abbreviated.
pub(crate) const STATE: Meaning = 1 << 19;
/// A verb that people do, behind their name: "said", "writes".
pub(crate) const PERSON_VERB: Meaning = 1 << 20;
/// A word that begins sentences or headings and is no name, whatever stands beside it.
pub(crate) const FUNCTION: Meaning = 1 << 21;
/// Marks an organisation: "Inc", "GmbH", "University".
pub(crate) const ORGANISATION: Meaning = 1 << 22;

/// An ordinary English word.
pub(crate) const COMMON: Meaning = 1 << 23;

/// "My number", which may be a telephone's.
pub(crate) const NUMBER: Meaning = 1 << 24;

/// A frequent word of German alone.
pub(crate) const GERMAN: Meaning = 1 << 25;

/// Longer words have no meaning here.
const WORD_BYTES_MAX: usize = 24;

const WORDS: &[(Meaning, &str)] = &[
    (
        TITLE,
        "mr mrs ms miss mister mx sir madam madame dr doctor prof professor herr frau fraulein monsieur mme mlle m senor senora senorita sr sra \
         srta don dona dom sig signor signora sigra dott dottor dottssa pan pani meneer mevrouw mevr dhr mw herra rouva fru hr senhor senhora shri \
         smt rev reverend fr father captain capt lt sgt col judge hon lord lady dame aunt uncle nurse officer detective president senator",
    ),
    (
        PARTICLE,
        "van von der den de del della di da dos das do du la le los las bin ibn al el ter ten zu zum zur af av y e",
    ),
    (
        NAME_CUE,
        "dear hi hello hey named name names called signed regards sincerely cheers yours nickname surname maiden beneficiary cardholder holder \
         guardian partner husband wife son daughter brother sister mother father mom mum dad kid child girlfriend boyfriend roommate grandmother grandfather grandma grandpa nephew niece cousin friend colleague coworker boss manager \
         neighbour neighbor patient client customer employee tenant applicant attendee recipient sender contact contacted ask asked tell told \
         meet met meeting with heisse heiss namens nombre llamo apellido nom prenom appelle nome chiamo cognome naam heet nazwisko nazywam \
         imie namn heter nimi nimeni liebe lieber hallo sehr geehrte geehrter bonjour cher chere salut hola querido querida estimado estimada \
         caro cara gentile ciao beste geachte drogi droga szanowna szanowny hej kara basta gruss grusse cordialement saludos saluti groeten \
         pozdrawiam halsningar terveisin attn mrs by author authored thanks thank love best greetings kind atte",
    ),
    (
        BIRTH,
        "born birth birthday birthdate birthdays dob bday geboren geburtsdatum geburtstag geb ne nee naissance naissances anniversaire nacido \
         nacida nacio nacimiento cumpleanos nato nata nascita compleanno urodzony urodzona urodzenia urodziny urodzil urodzila geboortedatum \
         geboorte verjaardag fodd fodelsedatum fodt fodselsdato fodelsedag syntynyt syntymaaika syntymapaiva nascido nascida nascimento aniversario \
         nasceu nacque",
    ),
    (
        PASSWORD,
        "password passwd pwd passphrase passcode pass passwort kennwort contrasena motdepasse mdp senha haslo wachtwoord losenord salasana parola",
    ),
    (
        KEY,
        "key apikey keys token tokens secret secrets bearer authorization credential credentials accesskey secretkey authtoken accesstoken \
         clientsecret apitoken privatekey schlussel cle clave chiave webhook signature",
    ),
    (
        PHONE,
        "office desk answering unanswered phone tel telephone mobile cell cellphone call called calling fax whatsapp sms text landline dial reach telefon telefonnummer \
         handy mobil handynummer rufnummer telefone portable telefono movil celular cellulare telefoon telefoonnummer mobiel \
         komorka sms messages puhelin puhelinnumero telefonnumret telemovel hotline voicemail anrufen rappeler appeler appelez llamar llamame llama chiamare \
         chiamami bellen zadzwon ringa soita ligar ligue",
    ),
    (
        ID,
        "ssn social security itin nhs nino insurance tax taxpayer tin steuer steuerid identifikationsnummer idnr steuernummer nir insee secu securite \
         sociale dni nie nif codice fiscale pesel bsn burgerservicenummer sofinummer cpf aadhaar aadhar uidai personnummer hetu henkilotunnus \
         tfn nric fin sin national identity rijksregister rijksregisternummer niss fodselsnummer ahv avs id identification passport ni",
    ),
    (
        NUMBER,
        "number numbers numero numer nummer num nr contact reach reachable ring",
    ),
    (
        GERMAN,
        "und der das ist nicht ich mit ein eine fur wir zu auf im dem den wird ihre ihr sich auch bei nach wie haben bitte guten am aus uber",
    ),
    (
        CARD,
        "card cards credit debit visa mastercard amex karte kreditkarte kartennummer carte bancaire tarjeta carta karta kort cc pan",
    ),
    (
        STREET_END,
        "street st avenue ave av road rd lane ln drive dr court ct boulevard blvd way place pl square sq terrace ter close crescent cres parkway \
         pkwy highway hwy circle cir trail trl alley branch bridge brook brooks bypass camp canyon cape causeway center centers cliff cliffs club common \
         corner corners course courts cove coves creek crest crossing crossroad crossroads curve dale dam divide drives estate estates expressway \
         extension extensions fall falls ferry field fields flat flats ford fords forest forge forges fork forks fort freeway garden gardens gateway \
         glen glens green greens grove groves harbor harbors haven heights hill hills hollow inlet island islands isle junction junctions key keys \
         knoll knolls lake lakes land landing light lights lodge loop mall manor manors meadow meadows mews mill mills mission motorway mount \
         mountain mountains neck orchard oval overpass park parks parkways pass passage path pike pine pines plain plains plaza point points port \
         ports prairie radial ramp ranch rapid rapids rest ridge ridges river roads route row rue run shoal shoals shore shores skyway spring springs \
         spur spurs squares station stravenue stream streets summit throughway trace track trafficway tunnel turnpike underpass union unions valley \
         valleys via viaduct view views village villages ville vista walk walks wall well wells gate quay wharf rise drove gait",
    ),
    (
        STREET_BEGIN,
        "rue avenue boulevard place chemin allee impasse quai cours route square passage calle avenida avda paseo plaza camino ronda carrer \
         cuesta glorieta callejon pasaje rambla urbanizacion vial alameda acceso cañada canada via viale piazza corso largo vicolo strada contrada borgo canale \
         rotonda stretto incrocio piazzetta ulica ul aleja aleje plac os osiedle rua travessa praca rodovia estrada ladeira avinguda c av \
         bulevar bd parque pasadizo",
    ),
    (
        UNIT,
        "apt apartment suite ste unit flat room floor studio box building bldg etage appartement piso puerta",
    ),
    (
        ADDRESS,
        "address addresses adresse anschrift wohnt wohne wohnhaft lives living live lived moved residence direccion domicilio vivo vive indirizzo abito \
         residente adres woon woont adress bor osoite asuu endereco moro mora ship shipping deliver delivered delivery mieszkam mieszka habite \
         demeurant postal mailing plz zip postcode",
    ),
    (
        OTHER_NUMBER,
        "account accounts konto compte cuenta conto member membership policy customer license licence order invoice version ticket tracking reference ref isbn issn sku serial part item case build commit port page chapter section line error code \
         model revision bestellung rechnung commande facture pedido factura ordine fattura zamowienie bestelling release firmware v build revision row",
    ),
    (
        STATE,
        "al ak az ar ca co ct de fl ga hi id il in ia ks ky la me md ma mi mn ms mo mt ne nv nh nj nm ny nc nd oh ok or pa ri sc sd tn tx ut vt va \
         wa wv wi wy dc pr gu vi as mp ap ae aa fm mh pw",
    ),
    (
        PERSON_VERB,
        "said says told tells asked asks wrote writes replied replies thinks thought called calls lives lived works worked joined left moved married \
         emailed met likes liked loves loved wants wanted needs needed knows knew will has had was is isn't and who speaks spoke plays played \
         complained suggested mentioned explained agreed confirmed approved requested reported arrived came goes went born died sent signed began begins \
         started shouted shouts spent listed whispered laughed smiled cried grew studied believes believed feels felt insists insisted decided hopes",
    ),
    (
        FUNCTION,
        "the a an this that these those i we you he she it they my our your his her its their there here what when where who whom whose why how which \
         if then else so but and or not no yes as at by for from in into of off on out over to up with without about after before during since until while \
         is are was were be been am do does did have has had can could will would shall should may might must please let all any some each every both \
         more most less few many much only just also again once still already never always often sometimes today tomorrow yesterday now later soon \
         thanks thank sorry okay ok dear hi hello hey regards best kind sincerely cheers re fwd subject note ps attn from to cc bcc date sent \
         name first last middle email phone address street city state zip country number order account customer user admin id gender title company \
         der die das ihr ihre ihrem ihren ihrer ihnen ein eine einer und oder aber ich du er sie es wir ihr mein meine dein sein ist sind war hat haben bitte danke mit von fur auf im am \
         le la les un une des et ou mais je tu il elle nous vous ils mon ma mes est sont avec pour dans sur merci el los las una unos y o pero yo tu \
         ella nosotros mi es son con para por en gracias lo gli uno io lui lei noi sono con per di da grazie het een en of maar ik jij hij zij wij mijn \
         not new old good great happy call send ask tell meet see get got give go going come coming take make need want check update change \
         block cancel confirm visit contact ship forward invite remove add",
    ),
    (
        NO_NAME,
        "kenyan nigerian egyptian israeli iranian iraqi pakistani bangladeshi vietnamese thai filipino indonesian malaysian ukrainian romanian hungarian \
         bulgarian serbian croatian austrian belgian swiss danish norwegian icelandic peruvian chilean argentinian colombian cuban jamaican african asian \
         american moroccan tunisian algerian ethiopian somali ghanaian lebanese syrian saudi afghan nepalese czech slovak catalan basque argentina bangladesh \
         algeria angola bahamas barbados belarus belize bolivia botswana burundi cambodia cameroon congo ecuador eritrea fiji gabon gambia guatemala \
         guinea guyana haiti honduras kazakhstan kiribati laos liberia libya madagascar malawi maldives mali mauritius moldova montenegro mozambique \
         myanmar namibia nauru nicaragua niger oman palau paraguay samoa suriname tajikistan tanzania togo tonga tuvalu vanuatu yemen islands futuna \
         monday tuesday wednesday thursday friday saturday sunday montag dienstag mittwoch donnerstag freitag samstag sonntag lundi mardi mercredi jeudi \
         vendredi samedi dimanche lunes martes miercoles jueves viernes sabado domingo internet email web online google microsoft apple amazon \
         facebook github linux windows android iphone python java javascript rust english german french spanish italian polish dutch swedish finnish \
         portuguese chinese japanese korean russian indian american british european european canadian australian mexican brazilian turkish arabic \
         hindi latin greek hebrew irish scottish welsh africa asia europe america antarctica australia austria belgium brazil britain bulgaria canada \
         chile china colombia croatia cuba cyprus czechia denmark egypt england estonia ethiopia finland france germany ghana greece hungary iceland \
         india indonesia iran iraq ireland israel italy jamaica japan kenya korea kuwait latvia lebanon lithuania luxembourg malaysia malta mexico \
         monaco mongolia morocco nepal netherlands nigeria norway pakistan panama peru philippines poland portugal qatar romania russia rwanda \
         scotland senegal serbia singapore slovakia slovenia somalia spain sudan sweden switzerland syria taiwan thailand tunisia turkey uganda \
         ukraine uruguay venezuela vietnam wales zambia zimbabwe deutschland frankreich italien spanien osterreich schweiz berlin munich hamburg \
         cologne frankfurt vienna zurich geneva paris lyon marseille london manchester birmingham leeds liverpool edinburgh glasgow cardiff dublin \
         madrid barcelona seville rome milan naples turin venice lisbon porto amsterdam rotterdam brussels copenhagen stockholm oslo helsinki warsaw \
         krakow prague budapest athens istanbul moscow kyiv tokyo osaka kyoto beijing shanghai delhi mumbai bangalore sydney melbourne brisbane perth \
         auckland toronto vancouver montreal ottawa boston chicago seattle denver dallas houston austin miami atlanta philadelphia phoenix detroit \
         york angeles francisco vegas orleans diego jose antonio texas california florida alaska hawaii nevada oregon ohio utah zealand africa kong \
         christmas easter ramadan hanukkah diwali january february march april may june july august september october november december januar februar marz mai \
         juni juli oktober dezember janvier fevrier mars avril juin juillet aout septembre octobre novembre decembre enero febrero marzo abril \
         mayo junio julio agosto septiembre octubre noviembre diciembre gennaio febbraio aprile maggio giugno luglio settembre ottobre dicembre \
         north south east west northern southern eastern western central united states kingdom republic union ocean sea river lake mountain",
    ),
    (
        ORGANISATION,
        "inc ltd llc corp corporation company co gmbh ag kg sa sarl spa srl plc bv nv oy ab aps university college school institute hospital bank \
         group holdings partners foundation museum church cathedral airport station hotel restaurant cafe bar theatre theater stadium park library \
         society association committee department ministry council team records studios technologies solutions systems labs industries services \
         llp lp act statute act party journal times review program plan doctrine award prize theorem bridge tower street avenue road boulevard river lake mountain island bay valley square plaza palace castle district \
         county township province festival cup league express airlines motors insurance brothers sons",
    ),
];

const MONTHS: &[&str] = &[
    "january jan januar janvier enero gennaio januari stycznia tammikuuta janeiro janner",
    "february feb februar fevrier febrero febbraio februari lutego helmikuuta fevereiro fev",
    "march mar marz mars marzo maart marca maaliskuuta marco mrz",
    "april apr avril abril aprile kwietnia huhtikuuta avr abr",
    "may mai mayo maggio mei maja toukokuuta maio maj",
    "june jun juni juin junio giugno czerwca kesakuuta junho",
    "july jul juli juillet julio luglio lipca heinakuuta julho",
    "august aug aout agosto augustus sierpnia elokuuta augusti ago",
    "september sep sept septembre septiembre settembre wrzesnia syyskuuta setembro set",
    "october oct oktober octobre octubre ottobre pazdziernika lokakuuta outubro okt",
    "november nov novembre noviembre listopada marraskuuta novembro",
    "december dec dezember decembre diciembre dicembre grudnia joulukuuta dezembro dez dic",
];

/// FNV-1a: words are short, and nobody who could choose the lexicon's words would gain by collisions.
#[derive(Default)]
pub(crate) struct Fnv(u64);

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 29)
    }
}

type Table = HashMap<&'static [u8], Meaning, BuildHasherDefault<Fnv>>;

static LEXICON: LazyLock<Table> = LazyLock::new(|| {
    let mut table = Table::with_capacity_and_hasher(44_000, BuildHasherDefault::default());
    let mut add = |words: std::str::SplitWhitespace<'static>, meaning| {
        for word in words {
            *table.entry(word.as_bytes()).or_default() |= meaning;
        }
    };
    add(include_str!("../data/first_names.txt").split_whitespace(), FIRST);
    add(include_str!("../data/surnames.txt").split_whitespace(), LAST);
    add(
        include_str!("../data/ambiguous_words.txt").split_whitespace(),
        AMBIGUOUS,
    );
    add(include_str!("../data/common_words.txt").split_whitespace(), COMMON);
    for (meaning, words) in WORDS {
        add(words.split_whitespace(), *meaning);
    }
    for words in MONTHS {
        add(words.split_whitespace(), MONTH);
    }
    table
});

/// What `word` means; nothing when it is not known.
pub(crate) fn meaning(word: &str) -> Meaning {
    let mut folded = [0; WORD_BYTES_MAX];
    with_folded(word, &mut folded).map_or(0, |word| LEXICON.get(word).copied().unwrap_or(0))
}

/// The number of a month's name, from 1.
pub(crate) fn month(word: &str) -> Option<u32> {
    let mut folded = [0; WORD_BYTES_MAX];
    let word = with_folded(word, &mut folded)?;
    let named = |words: &&str| words.split(' ').any(|name| name.as_bytes() == word);
    MONTHS.iter().position(named).map(|index| index as u32 + 1)
}

fn with_folded<'b>(word: &str, buffer: &'b mut [u8; WORD_BYTES_MAX]) -> Option<&'b [u8]> {
    let mut length = 0;
    if word.is_ascii() {
        for (place, byte) in buffer.get_mut(..word.len())?.iter_mut().zip(word.bytes()) {
            *place = byte.to_ascii_lowercase();
        }
        return Some(&buffer[..word.len()]);
    }
    for folded in word.chars().flat_map(crate::letters::folded) {
        let end = length + folded.len_utf8();
        folded.encode_utf8(buffer.get_mut(length..end)?);
        length = end;
    }
    Some(&buffer[..length])
}
