//! Secrets: behind words in many languages, in code, configuration and commands, and by their form; and what only looks like one.

#![allow(clippy::unwrap_used)]

use whimbrel_privacy::{FindingKind, Scanner, ScannerOptions};

/// Whether a secret is found that is just `value`, or none at all when `value` is empty.
fn check(text: &str, value: &str) {
    let scanner = Scanner::new(ScannerOptions::default()).unwrap();
    let findings = scanner.scan(text).unwrap();
    let found: Vec<&str> = findings
        .iter()
        .filter(|finding| finding.kind == FindingKind::ApiKey)
        .map(|finding| finding.of(text))
        .collect();
    let expected: &[&str] = if value.is_empty() { &[] } else { &[value] };
    assert_eq!(found, expected, "{text:?}");
}

#[test]
fn a_word_and_a_colon_name_a_secret_in_many_languages() {
    for word in [
        "password",
        "Passphrase",
        "passwd",
        "pwd",
        "Passwort",
        "Kennwort",
        "mot de passe",
        "clave",
        "contraseña",
        "contrasenya",
        "senha",
        "parola",
        "hasło",
        "heslo",
        "geslo",
        "lozinka",
        "jelszó",
        "wachtwoord",
        "lösenord",
        "passord",
        "adgangskode",
        "lykilorð",
        "salasana",
        "parool",
        "slaptažodis",
        "şifre",
        "пароль",
        "парола",
        "лозинка",
        "κωδικός",
        "كلمة المرور",
        "סיסמה",
        "密码",
        "密碼",
        "パスワード",
        "비밀번호",
        "รหัสผ่าน",
        "पासवर्ड",
    ] {
        check(&format!("{word}: zwalbenfeld"), "zwalbenfeld");
        check(&format!("{word}: q7Kd-20x"), "q7Kd-20x");
    }
    check("密碼：q7Kd20xx，謝謝", "q7Kd20xx");
    check("PIN: 4821", "4821");
    check("my pin is 4821", "4821");
    check("my password is zwalbenfeld", "zwalbenfeld");
    check("мой пароль q7Kd20xxLm, запиши", "q7Kd20xxLm");
}

#[test]
fn a_secret_is_found_as_code_and_configuration_write_it() {
    for (text, value) in [
        ("password = \"zwalbenfeld\"", "zwalbenfeld"),
        ("DB_PASSWORD=zwalbenfeld", "zwalbenfeld"),
        ("dbPassword = 'zwalbenfeld';", "zwalbenfeld"),
        ("db_password_primary: zwalbenfeld", "zwalbenfeld"),
        ("shop_TOKEN ?= \"q7kd20xxlm31\"", "q7kd20xxlm31"),
        ("shop_TOKEN := q7kd20xxlm31", "q7kd20xxlm31"),
        ("\"client_secret\": \"q7kd20xxlm31\"", "q7kd20xxlm31"),
        ("'password' => 'zwalbenfeld',", "zwalbenfeld"),
        ("String apiKey = \"q7kd20xxlm31\";", "q7kd20xxlm31"),
        ("let token: &str = \"q7kd20xxlm31\";", "q7kd20xxlm31"),
        ("var shopToken string = \"q7kd20xxlm31\"", "q7kd20xxlm31"),
        ("<password>zwalbenfeld</password>", "zwalbenfeld"),
        ("<db:password>\n  zwalbenfeld\n</db:password>", "zwalbenfeld"),
        ("<add key=\"SmtpPassword\" value=\"zwalbenfeld\" />", "zwalbenfeld"),
        ("<entry key=\"password\">zwalbenfeld</entry>", "zwalbenfeld"),
        ("setProperty(\"SHOP_TOKEN\", \"q7kd20xxlm31\")", "q7kd20xxlm31"),
        ("- name: DB_PASSWORD\n  value: zwalbenfeld", "zwalbenfeld"),
        ("{\"name\": \"API_TOKEN\", \"value\": \"q7kd20xxlm31\"}", "q7kd20xxlm31"),
        ("if (\"q7Kd!20xx\" == password) {", "q7Kd!20xx"),
        ("config[\"password\"] = \"zwalbenfeld\"", "zwalbenfeld"),
        ("{\"file\": \"API_TOKEN=q7kd20xxlm31\\nNEXT=1\"}", "q7kd20xxlm31"),
        ("Server=db;Password=zwalbenfeld;", "zwalbenfeld"),
        ("ALTER USER shop WITH PASSWORD 'zwalbenfeld';", "zwalbenfeld"),
        ("CREATE USER shop IDENTIFIED BY 'zwalbenfeld'", "zwalbenfeld"),
        ("machine a.example login shop password zwalbenfeld", "zwalbenfeld"),
        ("Authorization: Basic c2hvcDp6d2FsYmVu", "c2hvcDp6d2FsYmVu"),
        (
            "passphrase: \"violet harbour tundra spoon\"",
            "violet harbour tundra spoon",
        ),
    ] {
        check(text, value);
    }
}

#[test]
fn a_command_s_argument_may_be_a_secret() {
    for (text, value) in [
        ("tool --password zwalbenfeld run", "zwalbenfeld"),
        ("tool --api-key=q7kd20xxlm31", "q7kd20xxlm31"),
        ("curl -u shop:zwalbenfeld https://a.example", "shop:zwalbenfeld"),
        (
            "curl -s \\\n  --user 'shop:zwalben feld' https://a.example",
            "shop:zwalben feld",
        ),
        ("mysql -u shop -pzwalben3 db", "zwalben3"),
        ("sshpass -p zwalben3 ssh shop@a.example", "zwalben3"),
        ("docker login -u shop -p zwalben3", "zwalben3"),
        ("docker run -p 8080:80 nginx", ""),
        ("mkdir -p zwalben3", ""),
        ("ssh -p 2222 a.example", ""),
        ("curl -u $NAME:$WORD https://a.example", ""),
    ] {
        check(text, value);
    }
}

/// Bodies are made here, so that no file of this project holds anything that looks like a token in use.
#[test]
fn tokens_have_their_issuers_forms() {
    let letters = "kQzWvTnRxYpLmHdGbSfJcDqZkXwVtNrYpLmHdGbSfJcDqZkXwVtN";
    let hex = "7c0e5a91d3b86f247c0e5a91d3b86f247c0e5a91d3b86f247c0e5a91d3b86f24";
    let mixed = "q7Kd20xxLm31Zp94q7Kd20xxLm31Zp94q7Kd20xxLm31Zp94q7Kd20xxLm31Zp94";
    for (prefix, body) in [
        ("ghp_", &letters[..36]),
        ("hf_", &letters[..34]),
        ("glrt-", &mixed[..20]),
        ("dapi", &hex[..32]),
        ("fo1_", &mixed[..43]),
        ("dor_v1_", hex),
        ("npm_", &mixed[..36]),
        ("shpca_", &hex[..32]),
        ("rubygems_", &hex[..48]),
        ("SK", &hex[..32]),
        ("sk_live_", &mixed[..24]),
        ("lin_api_", &mixed[..40]),
    ] {
        let token = format!("{prefix}{body}");
        check(&format!("The server uses {token} since May."), &token);
        check(&format!("The server uses {prefix}ab1 since May."), "");
    }
    let bot = format!("81234567:A{}", &mixed[..34]);
    check(&format!("bot {bot} runs"), &bot);
    let hook = format!(
        "https://hooks.slack.com/services/T0{0}/B0{0}/{1}",
        &mixed[..6],
        &mixed[..24]
    );
    check(&format!("post to {hook} please"), &hook);
}

#[test]
fn what_only_speaks_of_a_secret_is_none() {
    for text in [
        "password: required",
        "Password: must have 8 characters",
        "Passwort: mindestens acht Zeichen",
        "Mot de passe : obligatoire",
        "password: String",
        "token: &str",
        "password?: string;",
        "fn login(user: &str, password: &str) -> bool",
        "def login(user, password=None):",
        "password: ",
        "password = \"\"",
        "password: \"********\"",
        "password = ${DB_PASSWORD}",
        "PASSWORD=$PASSWORD",
        "password: {{ vault_password }}",
        "password = os.environ[\"DB_PASSWORD\"]",
        "password = getpass.getpass()",
        "this.password = password;",
        "if password == confirm:",
        "password: <your-password>",
        "api_key: YOUR_API_KEY",
        "<input type=\"password\" name=\"password\">",
        "<label for=\"password\">Password</label>",
        "\"password\": \"Mot de passe\"",
        "\"forgot_password\": \"Forgot your password?\"",
        "password length: 12",
        "token_count = 2048",
        "\"token_type\": \"bearer\"",
        "The password is incorrect.",
        "La password è stata cambiata.",
        "Das Passwort ist falsch.",
        "La clave es la paciencia.",
        "The secret to good bread is time.",
        "for key, value in items:",
        "token = \"identifier\"",
        "password hashing with sha256",
        "password base64",
        "const stdISO8601ColonSecondsTZ = 4",
    ] {
        check(text, "");
    }
}

#[test]
fn lines_of_base64_are_data() {
    let line = "q7Kd20xxLm31Zp94Ab3cQ7kD20XXlM31zP94aB3Cq7Kd20xxLm31Zp94Ab3cQ7kD20XXlM31";
    check(&format!("{line}\n{line}\n{line}\n"), "");
    check(&format!("  {line}\r\n  {line}=="), "");
    check(&format!("url(data:image/png;base64,{line})"), "");
    // One alone may be a token.
    check(&format!("use {line} there"), line);
}
