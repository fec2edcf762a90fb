/// A sign that a text wants to steer whoever reads it.
public enum GuardSignal: String, Sendable, Codable, CaseIterable {
    /// Overrides what the reader was told before.
    case override
    /// Pretends to be the system, the developer or a turn of the conversation.
    case role
    /// Asks to send private data somewhere.
    case exfiltration
    /// Waits for something that somebody else says or does.
    case trigger
    /// Puts one thing in another's place.
    case redirection
    /// Runs programs, or has a tool do harm.
    case tool
    /// Keeps something from people, or has them told what is not so.
    case concealment
    /// Asks to disable checks.
    case disarming
    /// Wants to be kept, spread or obeyed above others, or others to go.
    case persistence
    /// Is hidden, or written so that only a program reads it.
    case disguise
    /// Tells the reader to do something.
    case command
    /// Speaks of or to an agent.
    case agent
    /// Speaks of the people whom the reader serves as of others.
    case audience
    /// Like a text that was quarantined before.
    case similarToQuarantined = "lesson"
    /// Contradicts what several others agree on.
    case contradictsConsensus = "dissent"
    /// Takes away what cannot be got back.
    case destruction
    /// Has a question go unanswered.
    case refusal
    /// Praises one choice above all others.
    case promotion
    /// Claims the word of somebody who may command, or of a proof.
    case authority
    /// Asks for something that the document around it is not about.
    case stray

    /// Weight of the signal in a text's score; a text whose score reaches 1 is quarantined.
    ///
    /// The first group is enough by itself. Signals of 0.7 and 0.6 need a second one; those of 0.3
    /// and 0.4 are found in harmless texts all the time and only add to others, see
    /// ``GuardSignals/weak``.
    var weight: Double {
        switch self {
        case .override, .role, .tool, .similarToQuarantined, .stray: 1
        case .exfiltration, .disarming, .persistence, .concealment: 0.7
        case .redirection, .disguise, .contradictsConsensus: 0.6
        case .destruction, .refusal, .promotion: 0.5
        case .trigger: 0.4
        case .command, .agent, .audience, .authority: 0.3
        }
    }
}

/// Vocabulary and patterns of ``InjectionGuard``: English, with the commonest phrase of all in some
/// other languages.
///
/// Data and no logic: a rule that misses or catches too much is fixed here.
enum GuardRules {
    /// Words behind which a command may begin within a sentence: "please send …", "the assistant
    /// must forward …". They set the place that the sign `^` of a pattern asks for, so that "I send
    /// invoices" is a report and "always send invoices" a command.
    static let openers = """
        please and then kindly just simply always must should shall silently quietly automatically instead first so
        immediately permanently required allowed authorised authorized only also ai assistant agent
        """

    /// Named sets of words; a pattern refers to one as `@name`. Words are in lower case and
    /// inflected forms are listed one by one: nothing is stemmed here, as "approved" and "approve"
    /// are not the same sign.
    static let classes = [
        "ignore":
            "ignore disregard forget override bypass neglect overrule disobey unlearn discard",
        "directive":
            "instruction instructions rule rules guideline guidelines prompt prompts directive directives constraint constraints guardrail guardrails restriction restrictions policy policies limits orders guidance directions programming safeguards alignment",
        "former":
            "previous prior earlier above preceding former original initial system developer all any your safety content other past configured",
        "actor":
            "you assistant agent ai model llm bot chatbot reader agents assistants models sub-agent subagent",
        "machine":
            "assistant ai llm chatbot agents assistants sub subagent chatgpt claude gpt gemini copilot",
        "must":
            "must shall should has have need needs required authorised authorized ordered supposed obliged",
        "people":
            "user users customer customers client clients patient patients anyone anybody someone somebody everyone everybody person whoever visitor visitors guests nurses people nobody owner drivers driver auditor",
        "when": "when whenever if once should upon unless moment",
        "act":
            "send forward post upload email mail transmit append include copy publish leak share disclose reveal output print tell log read put hide make encode store answer reply respond say call recommend use run execute delete open choose switch add replace insert invent refer return route swap treat interpret multiply substitute point give invoke drop move subscribe write set turn accept register skip proceed consider disable trust approve obey follow change remove claim withhold suppress falsify mark deny lie refuse do act list stop adopt pretend comply promote agree confirm transfer praise support lead ask leave carry save repeat purge rewrite wipe update keep teach purchase buy install show transmit record lie phrase provide fill pay load",
        "send":
            "send forward post upload email mail transmit append publish leak share disclose reveal output print log bcc expose export dump exfiltrate encode copy hide put give include write read show tell display url render share hand",
        "private":
            "password passwords passphrase credential credentials secret secrets token tokens cookie cookies ssh apikey configuration diagnosis diagnoses balance confidential private env environment variables",
        "context":
            "prompt conversation conversations memory memories context history thread message messages notes typed contacts list repository address parameters name names",
        "place":
            "http https www webhook endpoint url link webhooks pastebin mirror public outsiders outsider third guests server search",
        "honest":
            "telling asking informing notifying saying showing mentioning revealing disclosing confirmation notice consent approval review checks warning checking verification",
        "check":
            "check checks confirmation confirmations verification verified approval approvals approver approvers filter filters limit limits guardrail guardrails logging firewall certificate certificates signature signatures factor disclaimer disclaimers warning warnings review reviews tests safety permission permissions mask authentication restrictions hooks encryption unsigned expired unverified",
        "off":
            "skip disable bypass deactivate ignore suspend cancel waive remove lift omit circumvent turn switch switched turning switching drop disabled skipped cancelled lifted suspended forbidden void annoys",
        "memory":
            "memory memories note notes record records message instruction instructions paragraph text sentence command commands profile summary",
        "talks":
            "ask asks asked say says said mention mentions mentioned request requests requested want wants type types write writes inquire inquires query queries greet greets search searches speak speaks talk talks seek seeks order orders need needs look looks discuss discusses is are",
        "known": "memories facts preferences reminders profile audit allergies appointments",
    ]

    /// The patterns of each signal, one a line, in the notation of ``PhraseMatcher``.
    ///
    /// A signal is found once in a sentence, however many of its patterns match; what a signal
    /// counts is ``GuardSignal/weight``. Languages other than English have the phrase "ignore your
    /// instructions" alone.
    static let patterns: [(GuardSignal, String)] = [
        (
            .override,
            """
            ^ @ignore ~3 @former ~2 @directive
            ^ @ignore ~3 @directive ~4 earlier|previously|before|above|gave|given|told|configured
            ^ @ignore everything|anything|all ~3 told|said|developer|instructed|learned
            ^ @ignore your|its @directive
            you to ~1 @ignore ~3 @directive
            ^ @ignore ~1 your ~2 @directive
            ^ set|put aside ~3 @directive
            ^ set|put ~3 @directive aside
            ^ pay no attention ~4 @directive|system|developer
            ^ do|don't ~1 follow|obey|heed ~3 @directive
            ^ stop ~1 following|obeying ~3 @directive|developer
            ^ stop your ~1 task
            ^ erase|drop|abandon|discard|remove ~2 your|configured|earlier|previous|all ~2 @directive
            ^ drop all ~2 limits|restrictions
            your|the|these ~2 @directive ~3 replaced|lifted|suspended|void|outdated|overridden|cancelled|revoked|disabled|removed
            any|all @directive ~5 void
            override them|it|these|those
            you are|aren't ~2 longer ~3 assistant|bound|restricted|model
            you are|aren't no longer
            you are now ~4 unrestricted|unfiltered|dan|jailbroken
            dan|jailbreak|jailbroken ~3 anything|mode
            your|the ~1 real|actual|true|new|sole|only instructions|task|directive|directives|orders|prompt|mission
            follow|obey only ~3 @directive|this|these
            these|this ~1 instead ~1 reveal|output|print|answer
            obey this|these ~1 message|note|text|instructions
            whatever your @directive say|says|state
            developer|debug|god|admin|unrestricted mode now
            supersedes|overrides|replaces ~2 it|them|system|earlier|previous|prompt|instructions|guidance
            turning|switching|turn|switch|turned|switched off ~2 content|safety filter|filters|guardrails|checks
            adopt the persona
            that ~2 prompt never existed
            orders|instructions|directions|commands in this|the record|note|message|text|document|file
            comply with ~3 requests|instructions|orders ~5 file|document|page|note
            ^ neglect|ignore|disregard what ~2 @directive
            ^ @ignore ~2 @directive and ~2 @act
            do the following instead
            ignoriere|ignorier|vergiss|missachte ~3 anweisungen|instruktionen|befehle|regeln
            ignora|ignore|olvida|ignorez|oublie|oubliez|dimentica ~4 instrucciones|instructions|istruzioni|instruções|consignes|reglas ~3 anteriores|précédentes|precedenti|previas|et|y|e
            игнорируй|игнорируйте|забудь|забудьте ~3 инструкции|указания|правила
            ignora|dimentica ~3 istruzioni|instruções
            """
        ),
        (
            .exfiltration,
            """
            ^ @send ~8 @private
            ^ @send ~6 @context ~8 @place
            ^ @send ~4 api|session|card|credit|ssh ~1 key|keys|token|number|numbers|cookie
            ^ @send ~4 system|entire|full|internal|hidden ~1 prompt|conversation|history|notes|configuration
            ^ @send ~2 customer|client|contact list
            ^ @send ~2 content|contents ~2 @context|files
            ^ @send ~6 user's|person's|patient's|customer's ~6 @place|search|query|chef|pastebin
            ^ @send ~3 every|all|each|any ~3 conversation|conversations|messages|passwords|keys
            ^ @send what|whatever ~2 person|user|customer|client|they ~1 typed|writes|wrote|types|says
            ^ @send ~5 private|confidential|secret
            ^ list all customer|user|client names
            ^ @send ~4 what ~1 user's|customer's ~3 is
            share|disclose|reveal|output|leak|give ~4 credentials|password|passwords|keys|secrets|token|configuration
            password|passwords|secrets|keys ~4 given|handed|sent|shown out|to ~4 request|anybody|anyone|everybody
            ask for their|the password|pin|credentials
            http|https request to ~12 user's|contacts|names|data
            required to bcc|forward|copy
            file|files in ssh
            ^ @send it|them|this|those to the|this|that|our ~1 @place
            bcc ~3 on|in each|every|all
            give ~3 card|account|pin number|numbers
            user's ~2 message ~4 encoded|append|appended
            share all ~2 data
            ^ upload|send|post ~6 home|ssh|folder|directory ~4 drive|server|public
            """
        ),
        (
            .trigger,
            """
            @when|time|moment|case ~2 the|a|an|any|some|this ~1 user|customer|client|person|patient|visitor|guest|caller ~3 @talks
            @when|time|moment|case ~1 anyone|anybody|someone|somebody|users|customers|people|patients ~3 @talks
            when|whenever|if|once|until ~1 asked|prompted|questioned|pressed|queried
            when|if|once|whenever you ~1 read|see|encounter|receive|summarise|summarize|finish|generate|render|answer|deploy
            when answering|generating|summarising|summarizing|replying
            upon being asked
            when|whenever|if|once ~3 is|are|gets requested|asked|mentioned|queried|discussed|needed|looked
            upon ~1 each|every|any
            as soon as ~6 appears|mentioned|reads|arrives ~3 conversation|chat|message
            next|every|each time ~1 you|it|the|a|an|that|someone ~5 asks|asked|greets|mentions|greet|planned|finishes|request|writes|finish|comes
            @when ~1 a|the|any question|topic|request|query ~4
            on the next request
            any query|question|request that
            queries|questions|answers|requests|calls about|on|that|to|for|meant ~6 must|should|have|are
            whatever ~1 is|they recalled|ask|asked
            each|every time ~6 you
            at the start|beginning of each|every|any|all session|chat|conversation|sessions|start|task
            before each|any|every commit|build|reply|answer|task|request
            for|in all|any|each|every ~1 code|answer|answers|reply|replies|order|conversation|chat|emails|transaction|review|reviews|standing
            """
        ),
        (
            .redirection,
            """
            ^ @act ~12 instead|rather than|of
            ^ use ~6 in place|instead|rather
            ^ use it|that|this|these ~4 in place|instead
            replace|substitute|overwritten|swap ~8 payee|account|order|receiver|address|item|names|drug|number
            replace|substitute|overwritten|replaced|swap|swapped silently|the
            silently replace|substitute|swap|change
            ^ refer to ~8 whenever|when|if
            must|should|have|are ~1 be|to ~1 answered|executed|looked|overwritten|interpreted|treated|replaced ~3 with|as|from|under
            treat|interpret|consider ~6 as ~2 identical|delete|equal|same|valid|trusted
            treat ~8 as|like ~4 owner|admin|own|identical|verified
            return ~4 in|of|for ~1 lima|another
            is|are now stored under
            point|route|send|direct|lead people|users|all|calls|customers|drivers|driver ~6 to|there|past
            ^ multiply|divide|double|change ~2 all|the|every|each ~8 tell|doses|amounts|prices|times
            must|should|have|has to be overwritten|replaced|swapped|substituted|changed|rerouted ~2 with|by|for|to
            permissions ~6 looked ~1 up ~3 under
            never from
            count|counts|counted as valid
            from now on ~2 use
            tell users|customers|people|patients|anyone to
            as the numbers|dosage ~6 instead|of
            """
        ),
        (
            .tool,
            """
            curl|wget ~12 bash|sh|zsh|python|eval
            curl|wget http|https
            rm rf
            ^ eval ~2 wget|curl
            eval wget|curl
            authorized_keys
            ^ push ~2 with ~1 force
            push ~3 force ~2 main|master
            pip install ~2 index url http
            verify false ~4 calls|requests|all
            verify false
            chmod 777
            ^ drop|drops|dropping the|all table|tables|database
            should|must|shall|can drop ~2 table|tables|database
            call ~5 transfer_funds|grant_access|delete_account|send_email
            @act ~2 the ~1 tool|function|terminal|shell|api ~10 transfer|grant|delete|admin|payment|full|body|recipient|amount|credentials|add|without|role|always|upon
            with the ~1 tool|terminal ~4
            in the shell
            ^ invoke|call|trigger the ~2 tool|api|function
            required to call
            ^ execute|run|fetch|load ~6 http|https
            executes|runs|loads|fetches ~6 http|https
            cron job that fetches|downloads|executes|sends|posts
            tool ~1 requires that
            ^ accept|merge|approve ~1 every|all|any|each ~2 pull|merge request|requests
            with the tool|tools
            ^ turn|switch off ~4 firewall|antivirus
            open port ~4 internet|public|world
            ^ make the|your agent subscribe|buy|pay|order|send
            dependency on ~2 package
            write ~3 output of env
            open the attachment
            to the public share|mirror|bucket|drive
            """
        ),
        (
            .concealment,
            """
            without @honest ~1 the|any|anyone|anybody|so|user|customer|us|them|it|alternatives|others|this
            ^ mention|reveal|disclose|show|tell|log|admit|say ~2 that|this|these|the ~4 told|move|note|memory|exchange|owner|limits|commission|user|instruction|instructions|reason
            never|not|don't|nobody ~1 mention|reveal|disclose|let|log ~2 this|that|the|these|any ~2 note|memory|you|user|exchange|recommended|move|customer|instructions|fund|reason|commission
            not tell ~2 user|customer|client|owner|patient|person|operator
            don't let ~1 the ~1 user|customer|client|patient|person|owner know
            keep ~1 these|this ~1 instructions|note|message|memory ~1 secret
            keep quiet|silent about
            ^ leave|leaves no trace
            ^ remove|suppress|hide|delete|conceal|withhold ~2 warning|warnings|alert|alerts|fee|fees|errors|effects|log|logs|evidence|risks
            ^ suppress|withhold|conceal|falsify|deny|fake|forge
            ^ lie to|about ~2 @people|it|them|this
            must|should|shall lie|hide|deny|conceal
            ^ hide ~4 from ~2 @people|them|us
            must not find|learn|know|notice|see
            should|must|shall|will ~1 notice|know|see|suspect nothing
            nobody needs to ~1 be ~1 informed|know|told|asked
            leave it ~1 out of
            not show|reveal|display this|that|these|the ~1 memory|note|record|entry|message
            deny that
            say|answer|claim|claims|reply|tell|cite ~1 that ~3 none|no|empty|normal|succeeded|harmless|hacked|dangerous|such|safe|resolved|green|unsafe
            ^ claim that
            refuse to ~1 talk|speak|answer|show
            mark ~3 as resolved|done|read|green|paid
            ^ say nothing about
            in the background ~2 nobody
            do everything ~5 quietly|silently|secretly
            ^ silently
            tell them that ~4
            invent|fabricate a|an|some
            cite no source
            leave out the ~6 without
            without saying
            do not mention ~2 this|that|these|it|note|memory|message|instruction|instructions|rule|commission|fee|fees|risk|risks
            """
        ),
        (
            .disarming,
            """
            ^ @off ~1 off|all|the|any|every|identity|safety|spending|content|permission ~4 @check
            ^ @off ~2 @check
            @off off ~4 @check
            @check ~4 no longer ~2 needed|required|necessary|apply
            @check|need ~2 need not
            @check ~3 not ~1 be|apply ~2 verified|needed|required|asked|checked
            @check ~1 can|may ~1 be ~1 left|skipped|omitted|ignored
            no longer ~1 needed|required|ask|asked|apply|verified|necessary
            no ~2 factor|approval|confirmation|verification|check ~1 is ~1 required|needed|necessary
            signature|signatures|certificates ~4 count|valid|trusted|accepted
            no need to ~1 mask|confirm|verify|check|ask|warn
            @check ~6 forbidden|lifted|suspended|cancelled|waived|off|switched|disabled
            allowed|permitted|free|permission to ~1 ignore|skip|read|bypass|disclose|execute|access
            may execute|run|read|access|send|disclose|delete ~5 without|freely
            never ask ~4 before
            never ask ~4 for ~2 @check|consent
            without ~1 asking|checks|confirmation|approval|review|warning|verification|questions|consent|checking|permission
            ^ trust|accept ~8 trusted|verified|valid|owner|completely|authorised|authorized|genuine|safe|full|any|rights
            ^ treat|consider|assume ~8 trusted|verified|owner|completely|authorised|authorized|genuine|safe|full|rights
            ^ treat|consider|assume ~2 all|any|every|each|it|them|this|everything ~6 valid
            ^ trust the content
            ^ accept ~3 unsigned|expired|invalid|self
            ^ accept any|all|every|each
            preauthorised|preauthorized
            pre authorised|authorized
            guardrails|filter|filters|rules|restrictions do|does not apply
            full access to
            has|have|with full|admin|unlimited|root rights|access|permissions|privileges
            authorised|authorized|allowed|permitted to ~1 disclose|reveal|share|execute|transfer|send
            restrictions are|were
            approve|grant|granted|approved ~1 all|any|every|each|always|wire|of|without
            requests|refunds|transfers are ~1 always ~1 granted|approved
            is ~1 always approved|granted
            are always approved|granted
            approved turning|switching|disabling
            ^ proceed|install|act without|them|upon|right
            treat messages from|by
            as if the person|user|customer|they were
            single click ~4 enough
            two approvers ~2 cancelled|gone|void
            accounts|requests ~8 without ~1 review
            transfer money|funds|remaining|balances
            insist on it
            only answer is
            consent is implied
            shall|must|should|always obey
            """
        ),
        (
            .persistence,
            """
            ^ save|store|copy|include|insert|carry|add|write|repeat|keep|remember|paste|put ~2 this|these|the ~3 @memory ~6 each|every|all|any|over|profile|later|new
            ^ save|store|copy|insert|write ~4 in|into each|every|all ~3 memory|memories|conversation|conversations|profile|emails|agents
            ^ store|save|keep|put in|to ~2 memory that|always
            ^ store in long ~1 term
            ^ remember permanently that|at|to
            ^ delete|forget|wipe|purge|erase|remove|overwrite|replace|clear|drop ~2 all|your|the ~2 @known
            ^ delete|forget|wipe|purge|erase all ~1 memories|reminders|notes
            ^ forget what you
            ^ replace your ~2 facts|memory|memories|profile|notes
            ^ update|overwrite your memory|profile|memories
            ^ rewrite the|your|all ~2 notes|memories|history|records|log|logs
            ^ purge|wipe ~3 all|everything|memory|memories|notes|records|history|profile|evidence
            must be ranked
            ranked first
            never ~1 be removed|deleted|forgotten
            more authoritative|important|trustworthy than ~3 others|other|memories
            priority over other|others|all
            drop|ignore those|all|memories that ~1 disagree|contradict
            keep ~1 adding
            re adding
            if somebody removes
            later|future|all sessions ~3 follow|obey|command
            ^ teach|tell|instruct ~2 sub|other|all|every ~2 agent|agents|assistants
            at the start|beginning of each|every ~1 session|chat|conversation ~3 load|repeat|read|run|say
            has agreed to share
            and obey them
            follow|obey the ~1 commands|rules|instructions in this
            so that they ~1 blame
            so that other assistants|agents
            word for word
            """
        ),
        (
            .command,
            """
            ^ @act
            @actor ~1 @must ~1 to|always|not|never|be|append|approve|treat|reply|output|follow|only|execute|lie|support|call|transfer|recommend|post
            must|should|have|has|shall|need to|be|not|always|never|go|call|come
            it is required|necessary|mandatory to
            are to|required be|to
            """
        ),
        (
            .agent,
            """
            @machine
            the|ai|this|your agent
            language model
            the model|bot shall|must|should|has|needs
            note to ~1 model|ai|agent
            ^ you are ~4
            you ~1 @must|talk|draft|write|answer|reply|generate|build|link|build|show
            your ~2 answer|answers|reply|replies|response|context|memory|prompt|task|output|instructions|guidelines|guidance|profile
            """
        ),
        (.audience, "@people"),
    ]

    /// The matcher of all patterns, compiled at its first use and shared by all threads.
    static let matcher = PhraseMatcher(
        classes: classes, openers: openers, verbs: classes["act"]!, patterns: patterns)
}
