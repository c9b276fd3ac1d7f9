/** Support tickets in English: id, opened, closed (empty when open), site, customer (or empty), channel, priority. */
export const TICKETS_EN = `
== T-5001 | 2026-01-08 | 2026-01-09 | uk | | e-mail | normal
subject: Left my cello in the luggage van
body: It is in a white case with a sticker of a heron. I walked off the Marram at Dieppe yesterday evening quite happy and noticed on the train that my hands were empty. I play on Saturday.
resolution: Found in the van by the purser, sent by the 12:15 with a seat of its own. Collected on Friday; a ticket for the concert came in the post.
== T-5003 | 2026-01-22 | 2026-01-26 | uk | CU-1010 | portal | high
subject: Invoice for January counts a trailer twice
body: Trailer plate CPF 114 shows on the 14th and again on the 15th. It was in our yard on the 15th, with photographs. Please credit 412 euros before the account goes on stop again.
resolution: Double entry after the paper lists of 14 January were typed in twice. Credited, and the stop was lifted the same morning.
== T-5005 | 2026-02-03 | 2026-02-04 | uk | CU-1019 | phone | high
subject: Low-loader refused at the ramp
body: Our excavator was turned away from Sea Kale last night for being 47 tonnes. The booking says 38. The driver slept in the cab and is not in a forgiving mood.
resolution: The booking gave the lorry without its load. Re-booked on the main deck. Agreed that machinery is weighed at our gate from now on, and that this would have been nice to know.
== T-5007 | 2026-02-17 | 2026-02-20 | uk | CU-1004 | e-mail | normal
subject: Twenty-two cyclists and no ship
body: You cancelled the 08:15 from Folkestone at 05:30, which is fair, but the text message went to our office number and not to the guide's. They rode eleven miles in that wind.
resolution: Guide's number is now kept beside the booking. Crossing refunded and a lunch at Boulogne on us, 264 euros.
== T-5010 | 2026-03-16 | 2026-03-16 | uk | | web form | low
subject: Is the tea room open in March?
body: I would like to bring my mother to the Golden Samphire for her ninetieth birthday, which is on 29 March. She worked in that tea room in 1991.
resolution: Golden Samphire starts on 1 April. The master invited them on board in Newhaven on the 29th during the fitting-out. There was cake.
== T-5012 | 2026-03-31 | 2026-04-02 | uk | | e-mail | normal
subject: Refund after the blackout
body: We were led off the Marram by torchlight on the 30th. The crew were wonderful. The hotel was 94 euros a head for the two of us and your website says 80.
resolution: Crossing refunded in full. Paid 94 euros each: the cap is ours to lift, and they carried a stranger's pushchair.
== T-5014 | 2026-04-15 | 2026-04-17 | uk | CU-1006 | e-mail | normal
subject: Free places for teachers
body: Forty-four pupils and five teachers, so we count four free places, while the quotation shows three. Who is right?
resolution: One free adult for every ten pupils: four. Quotation corrected, difference 37 euros.
== T-5016 | 2026-04-24 | 2026-04-24 | uk | CU-1022 | phone | normal
subject: Tandem with trailer
body: You carried it in the end, thank you. For the return on Sunday, does it need a car space or will the crêpe counter have us again?
resolution: Booked as a cargo bike, one car space, at the bicycle price this once.
== T-5018 | 2026-05-06 | 2026-05-08 | uk | | web form | normal
subject: Sockets on the bicycle deck are dead
body: My electric bicycle arrived in Dieppe with nine percent and there is a hill. Your help page says that I may charge it on board.
resolution: Charging stopped on 4 May; the help page had not been changed. Apologised, refunded the bicycle's fare, and asked for the page to be rewritten.
== T-5020 | 2026-05-22 | 2026-05-27 | uk | CU-1020 | phone | high
subject: Strawberries on the quay at Dieppe
body: Three loads of early strawberries were to cross on the 21st. Twenty-four hours without a sailing and the price is gone. What does the contract give us?
resolution: Strike by others: the contract excludes it. As a gesture the next three crossings at half the price, agreed with Ottoline Hurstwood.
== T-5022 | 2026-05-30 | 2026-06-01 | uk | | e-mail | low
subject: Smelled toast, was there a fire?
body: No complaint. I was in the forward bar of the Marram on Friday and there was a smell of toast and then a great many calm people walking quickly. My husband says I imagine things.
resolution: Told her what happened in the galley duct, and that she does not imagine things.
== T-5024 | 2026-06-18 | 2026-06-19 | uk | | phone | normal
subject: Scooter crushed in the lift
body: My son's scooter, red, with a bell, went down a gap in the car deck of the Golden Samphire. He is six. He asks whether the ship is hurt.
resolution: The purser bought a new red one with a bell. The ship is well and sends her regards.
== T-5026 | 2026-07-01 | 2026-07-03 | uk | CU-1016 | portal | high
subject: Twelve new cars, one scratched door
body: Chassis ending 7731, off side rear, 11 centimetres. Your deck report says clean on loading. Ours says clean at the factory. One of us is wrong and I should like it not to be me.
resolution: Camera at the ramp shows the scratch at arrival. Claim withdrawn with good grace; camera stills are now attached to every deck report.
== T-5028 | 2026-07-14 | 2026-07-15 | uk | CU-1005 | e-mail | normal
subject: Coach driver's meal
body: Our drivers say that meals are included on the Dieppe route for freight drivers but not for coach drivers, who have fifty people to look after and deserve soup.
resolution: Coach drivers have a meal on the Dieppe route from this week on. Soup included.
== T-5030 | 2026-08-01 | 2026-08-05 | uk | CU-1015 | phone | normal
subject: Late because of a drain
body: Four crates of stained glass for a church in Rouen missed their slot on the 31st because Newhaven had no power. The bishop was waiting, in full dress.
resolution: Apology sent to the bishop too. Storage of 180 euros taken over; the contractor's insurer pays it back.
== T-5032 | 2026-08-15 | 2026-08-17 | uk | CU-1003 | e-mail | normal
subject: Who watered the olive trees?
body: They came off the quay looking better than they went on. Please thank the night watch. And please send the list of papers again, I had it and lost it.
resolution: Thanks passed on. Sent the list: plant health certificate, packing list, goods movement reference.
== T-5034 | 2026-08-30 | 2026-09-01 | uk | | e-mail | low
subject: Can the captain marry us?
body: We were told no yesterday, on board, in front of forty guests. For other couples, it would help to know beforehand.
resolution: Agreed, and a sentence is on the website now. Sent a photograph of the blessing and the recipe of the cake.
== T-5036 | 2026-09-12 | 2026-09-15 | uk | CU-1021 | portal | high
subject: Temperature log of trailer BXP 09
body: For our auditor we need the readings of 9 September at plugging, mid-passage and landing on Salicorne. The sheet we received has two of the three.
resolution: Mid-passage reading was on the back of the page: 4.6 degrees. Full scan sent.
== T-5038 | 2026-09-29 | 2026-09-30 | uk | CU-1018 | e-mail | normal
subject: Check-in time for our minibus
body: The voucher says 45 minutes before departure at Dieppe and a notice on your site says 75 from October. We travel on 6 October with nine elderly gentlemen.
resolution: 75 minutes is right from 1 October. Vouchers are reprinted. The gentlemen have been promised the bakery.
== T-5040 | 2026-10-08 | 2026-10-10 | uk | CU-1013 | phone | normal
subject: Coach to Newhaven instead of the fast craft
body: Twelve motorhomes cannot be put on a coach. Could your gate staff at Folkestone be told what a motorhome is?
resolution: Motorhomes were re-routed over Newhaven on 8 October with places kept. Fuel for the detour paid, 31 euros each.
== T-5042 | 2026-10-20 | | uk | CU-1008 | portal | high
subject: Fewer reefer places on Sea Kale
body: Since June we are told thirty sockets on the upper deck, and twice we were left with two trailers of yoghurt. When does the new rotor come, and who pays for the diesel meanwhile?

== T-5044 | 2026-10-29 | 2026-11-03 | uk | CU-1023 | e-mail | low
subject: Change of invoice address
body: From November to our new office in Sittingbourne, please, marked for the attention of nobody in particular since we never know who is in.
resolution: Changed from the November invoice on.
== T-5046 | 2026-11-05 | 2026-11-06 | uk | | e-mail | normal
subject: Money for 3 November
body: I was one of the thirty-one cars that were backed off the Salicorne one by one. It was done with patience. I have had no refund yet.
resolution: Card details had expired. Refunded by transfer on 6 November.
== T-5048 | 2026-11-10 | 2026-11-11 | uk | | phone | low
subject: The parrot
body: I am the owner. He now imitates your loading alarm at four in the morning. I don't want money, I want to know whether it stops.
resolution: It does not, according to Winifred Stonegate, whose aunt had one. Sent earplugs.
== T-5049 | 2026-11-18 | | uk | CU-1002 | portal | normal
subject: A piano for Rouen before Christmas
body: Concert grand, 480 kilos, needs a heated place and no one else's bicycles. Which ship, which day, and can we have a person to talk to?

`;
